-- One row: an emotion and a confidence interval of width 0.001 (`step`: its number), with the 20 utterances of highest
-- confidence (`surest`) and the 20 of lowest confidence (`unsurest`). Only texts of 2 to 200 characters are used.
SELECT
    emotion,
    floor(confidence * 1000)::INTEGER AS step,
    max_by({text: text, confidence: confidence, part: part, row: row}, confidence, 20) AS surest,
    min_by({text: text, confidence: confidence, part: part, row: row}, confidence, 20) AS unsurest
FROM utterances
WHERE emotion IS NOT NULL AND length(text) BETWEEN 2 AND 200
GROUP BY emotion, step
