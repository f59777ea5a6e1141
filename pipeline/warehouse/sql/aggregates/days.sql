-- One row: a day and an emotion, with the number of rows that carry it, their share of the labelled rows of that day, and
-- the number of these labelled rows (`labelled`).
WITH labelled AS (
    SELECT starts::DATE AS day, sum(rows)::BIGINT AS labelled
    FROM hours
    WHERE starts IS NOT NULL AND emotion IS NOT NULL
    GROUP BY day
), found AS (
    SELECT starts::DATE AS day, emotion, sum(rows)::BIGINT AS rows
    FROM label_hours
    WHERE starts IS NOT NULL
    GROUP BY day, emotion
)
SELECT day, emotion, rows, rows / labelled AS share, labelled
FROM found JOIN labelled USING (day)
ORDER BY day, emotion
