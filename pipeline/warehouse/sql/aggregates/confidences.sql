-- One row: an emotion and a twentieth of the range of confidence (from `confidence` on), with the rows labelled so.
SELECT
    emotion,
    least(floor(confidence * 20), 19)::INTEGER / 20 AS confidence,
    count(*) AS rows
FROM utterances
WHERE emotion IS NOT NULL
GROUP BY ALL
ORDER BY emotion, confidence
