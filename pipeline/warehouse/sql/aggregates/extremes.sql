-- One row: an emotion and a thousandth of the range of confidence, with the 20 utterances in it (2 to 200 characters) that
-- the model is surest of, and the 20 it is least sure of.
SELECT
    emotion,
    floor(confidence * 1000)::INTEGER AS step,
    max_by({text: text, confidence: confidence, part: part, row: row}, confidence, 20) AS surest,
    min_by({text: text, confidence: confidence, part: part, row: row}, confidence, 20) AS unsurest
FROM utterances
WHERE emotion IS NOT NULL AND length(text) BETWEEN 2 AND 200
GROUP BY emotion, step
