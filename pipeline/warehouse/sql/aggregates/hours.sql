-- One row: a calendar hour (`starts`; null: the time is unknown), an emotion (null: no text) and a status, with the
-- number of rows, the sum of their confidences, the sum of the squares of their confidences, and the number of rows with a
-- confidence below 0.5 (`unsure`).
SELECT
    date_trunc('hour', said_at) AS starts,
    emotion,
    status,
    count(*) AS rows,
    sum(confidence)::DOUBLE AS confidence,
    -- Sums of decimal numbers are exact. Sums of DOUBLE depend on the order of the rows, so a figure would differ each time.
    sum(TRY_CAST(confidence::DOUBLE ** 2 AS DECIMAL(18, 15))) AS confidence_squares,
    count(*) FILTER (confidence < 0.5) AS unsure
FROM utterances
GROUP BY ALL
