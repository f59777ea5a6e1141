-- One row: an emotion, with the number of rows, their share of all labelled rows, and their mean confidence.
SELECT
    emotion,
    sum(rows)::BIGINT AS rows,
    sum(rows) / sum(sum(rows)) OVER () AS share,
    sum(confidence) / sum(rows) AS mean_confidence
FROM hours
WHERE emotion IS NOT NULL
GROUP BY emotion
ORDER BY rows DESC, emotion
