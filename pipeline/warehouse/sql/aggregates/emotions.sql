-- One row: an emotion, with the number of rows, their share of all labelled rows, and the mean and the
-- standard deviation of their confidences.
SELECT
    emotion,
    sum(rows)::BIGINT AS rows,
    sum(rows) / sum(sum(rows)) OVER () AS share,
    sum(confidence) / sum(rows) AS mean_confidence,
    sqrt(greatest(0, sum(confidence_squares) / sum(rows) - (sum(confidence) / sum(rows)) ** 2)) AS confidence_deviation
FROM hours
WHERE emotion IS NOT NULL
GROUP BY emotion
ORDER BY rows DESC, emotion
