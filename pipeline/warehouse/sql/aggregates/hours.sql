-- One row: an hour of the calendar (null: no time is known), an emotion (null: there was no text) and a status, with their
-- rows, the sum of their confidences, and how many of them have a confidence below 0.5.
SELECT
    date_trunc('hour', said_at) AS starts,
    emotion,
    status,
    count(*) AS rows,
    sum(confidence)::DOUBLE AS confidence,
    count(*) FILTER (confidence < 0.5) AS unsure
FROM utterances
GROUP BY ALL
