-- One row: an emotion, with the number of rows that carry it, their share of all labelled rows, the mean and the standard
-- deviation of their probabilities of it, and the number of all labelled rows (`labelled`).
SELECT
    emotion,
    sum(rows)::BIGINT AS rows,
    sum(rows) / labelled AS share,
    sum(confidence) / sum(rows) AS mean_confidence,
    sqrt(greatest(0, sum(confidence_squares) / sum(rows) - (sum(confidence) / sum(rows)) ** 2)) AS confidence_deviation,
    labelled
FROM label_hours, (SELECT sum(rows)::BIGINT AS labelled FROM hours WHERE emotion IS NOT NULL)
GROUP BY emotion, labelled
ORDER BY rows DESC, emotion
