-- One row: a calendar hour (`starts`; null: the time is unknown) and a label, with the number of rows that carry the label,
-- the sum of their probabilities of it, and the sum of the squares of these probabilities.
SELECT
    starts,
    emotion,
    sum(rows)::BIGINT AS rows,
    sum(confidence) AS confidence,
    sum(confidence_squares) AS confidence_squares
FROM hours
WHERE emotion IS NOT NULL AND NOT has_label_sets()
GROUP BY starts, emotion
UNION ALL
SELECT
    date_trunc('hour', said_at),
    emotion,
    count(*),
    sum(confidence)::DOUBLE,
    sum(TRY_CAST(confidence::DOUBLE ** 2 AS DECIMAL(18, 15)))
FROM carried
WHERE has_label_sets()
GROUP BY ALL
