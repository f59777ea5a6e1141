-- One row: a day and an emotion, with the number of rows and their share of the labelled rows of that day.
SELECT
    starts::DATE AS day,
    emotion,
    sum(rows)::BIGINT AS rows,
    sum(rows) / sum(sum(rows)) OVER (PARTITION BY starts::DATE) AS share
FROM hours
WHERE starts IS NOT NULL AND emotion IS NOT NULL
GROUP BY day, emotion
ORDER BY day, emotion
