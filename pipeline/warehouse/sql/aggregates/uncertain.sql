-- One row: one of the five utterances of an emotion that the model is least sure of, each text once (two letters or more,
-- 200 characters at most).
SELECT emotion, text, min(confidence) AS confidence
FROM (SELECT emotion, unnest(unsurest, recursive := true) FROM extremes)
WHERE regexp_matches(text, '[가-힣].*[가-힣]')
GROUP BY emotion, text
QUALIFY row_number() OVER (PARTITION BY emotion ORDER BY min(confidence), min((part, row))) <= 5
ORDER BY emotion, confidence, text
