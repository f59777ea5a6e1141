-- One row: a weekday (1: Monday), an hour of the day and an emotion, with the number of rows and their share of the
-- labelled rows of that hour of the week.
SELECT
    weekday,
    hour_of_day,
    emotion,
    sum(rows)::BIGINT AS rows,
    sum(rows) / sum(sum(rows)) OVER (PARTITION BY weekday, hour_of_day) AS share
FROM (SELECT *, isodow(starts)::INTEGER AS weekday, hour(starts)::INTEGER AS hour_of_day FROM hours)
WHERE starts IS NOT NULL AND emotion IS NOT NULL
GROUP BY weekday, hour_of_day, emotion
ORDER BY weekday, hour_of_day, emotion
