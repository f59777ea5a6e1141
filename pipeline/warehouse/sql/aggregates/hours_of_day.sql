-- One row: an hour of the day (0 to 23) and an emotion, with the number of rows that carry it, their share of the labelled
-- rows of that hour, and the number of these labelled rows (`labelled`).
WITH labelled AS (
    SELECT hour(starts)::INTEGER AS hour_of_day, sum(rows)::BIGINT AS labelled
    FROM hours
    WHERE starts IS NOT NULL AND emotion IS NOT NULL
    GROUP BY hour_of_day
), found AS (
    SELECT hour(starts)::INTEGER AS hour_of_day, emotion, sum(rows)::BIGINT AS rows
    FROM label_hours
    WHERE starts IS NOT NULL
    GROUP BY hour_of_day, emotion
)
SELECT hour_of_day, emotion, rows, rows / labelled AS share, labelled
FROM found JOIN labelled USING (hour_of_day)
ORDER BY hour_of_day, emotion
