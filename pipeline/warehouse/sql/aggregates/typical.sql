-- One row: one of the five utterances of an emotion that the model is surest of, each text once (two letters or more, 200
-- characters at most).
SELECT emotion, text, max(confidence) AS confidence
FROM (SELECT emotion, unnest(surest, recursive := true) FROM extremes)
WHERE regexp_matches(text, '[가-힣].*[가-힣]')
GROUP BY emotion, text
QUALIFY row_number() OVER (PARTITION BY emotion ORDER BY max(confidence) DESC, min((part, row))) <= 5
ORDER BY emotion, confidence DESC, text
