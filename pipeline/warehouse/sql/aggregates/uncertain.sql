-- One row: one of the five utterances with the lowest confidence for an emotion. Each text appears once. Only texts of
-- 2 to 200 characters with at least two Hangul syllables are used.
SELECT emotion, text, min(confidence) AS confidence
FROM (SELECT emotion, unnest(unsurest, recursive := true) FROM extremes)
WHERE regexp_matches(text, '[가-힣].*[가-힣]')
GROUP BY emotion, text
QUALIFY row_number() OVER (PARTITION BY emotion ORDER BY min(confidence), min((part, row))) <= 5
ORDER BY emotion, confidence, text
