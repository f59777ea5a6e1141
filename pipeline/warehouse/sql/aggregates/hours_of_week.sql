-- One row: a weekday (1: Monday), an hour of the day and an emotion, with the number of rows that carry it, their share of
-- the labelled rows of that hour of the week, and the number of these labelled rows (`labelled`).
WITH labelled AS (
    SELECT isodow(starts)::INTEGER AS weekday, hour(starts)::INTEGER AS hour_of_day, sum(rows)::BIGINT AS labelled
    FROM hours
    WHERE starts IS NOT NULL AND emotion IS NOT NULL
    GROUP BY weekday, hour_of_day
), found AS (
    SELECT isodow(starts)::INTEGER AS weekday, hour(starts)::INTEGER AS hour_of_day, emotion, sum(rows)::BIGINT AS rows
    FROM label_hours
    WHERE starts IS NOT NULL
    GROUP BY weekday, hour_of_day, emotion
)
SELECT weekday, hour_of_day, emotion, rows, rows / labelled AS share, labelled
FROM found JOIN labelled USING (weekday, hour_of_day)
ORDER BY weekday, hour_of_day, emotion
