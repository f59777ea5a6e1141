-- One row: one of the five utterances of an emotion that the model is surest of, each text once (two letters or more, 200
-- characters at most).
WITH surest AS (
    SELECT
        emotion,
        floor(confidence * 1000) AS step,
        unnest(max_by({text: text, confidence: confidence, part: part, row: row}, confidence, 20), recursive := true)
    FROM utterances
    WHERE emotion IS NOT NULL AND length(text) BETWEEN 2 AND 200
    GROUP BY emotion, step
)
SELECT emotion, text, max(confidence) AS confidence
FROM surest
WHERE regexp_matches(text, '[가-힣].*[가-힣]')
GROUP BY emotion, text
QUALIFY row_number() OVER (PARTITION BY emotion ORDER BY max(confidence) DESC, min((part, row))) <= 5
ORDER BY emotion, confidence DESC, text
