-- One row: one of the five utterances with the highest confidence for an emotion. Each text appears once. Only texts of
-- 2 to 200 characters with at least two Hangul syllables are used.
SELECT emotion, text, max(confidence) AS confidence
FROM (SELECT emotion, unnest(surest, recursive := true) FROM extremes)
WHERE regexp_matches(text, '[가-힣].*[가-힣]')
GROUP BY emotion, text
QUALIFY row_number() OVER (PARTITION BY emotion ORDER BY max(confidence) DESC, min((part, row))) <= 5
ORDER BY emotion, confidence DESC, text
