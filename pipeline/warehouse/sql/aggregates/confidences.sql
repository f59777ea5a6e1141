-- One row: an emotion and a confidence interval of width 0.05 (`confidence`: its lower bound), with the number of rows.
SELECT
    emotion,
    least(floor(confidence * 20), 19)::INTEGER / 20 AS confidence,
    count(*) AS rows
FROM utterances
WHERE emotion IS NOT NULL
GROUP BY ALL
ORDER BY emotion, confidence
