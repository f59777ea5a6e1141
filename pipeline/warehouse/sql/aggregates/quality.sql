-- One row: a day (null: rows without a time), with the number of all rows, of labelled, truncated and empty rows, of
-- rows with a confidence below 0.5, and the mean and the standard deviation of the confidences.
SELECT
    starts::DATE AS day,
    sum(rows)::BIGINT AS rows,
    coalesce(sum(rows) FILTER (emotion IS NOT NULL), 0)::BIGINT AS labelled,
    coalesce(sum(rows) FILTER (status = 'truncated'), 0)::BIGINT AS truncated,
    coalesce(sum(rows) FILTER (status = 'empty'), 0)::BIGINT AS empty,
    sum(unsure)::BIGINT AS unsure,
    sum(confidence) / nullif(sum(rows) FILTER (emotion IS NOT NULL), 0) AS mean_confidence,
    sqrt(greatest(0, sum(confidence_squares) / nullif(sum(rows) FILTER (emotion IS NOT NULL), 0) - mean_confidence ** 2))
        AS confidence_deviation
FROM hours
GROUP BY day
ORDER BY day NULLS LAST
