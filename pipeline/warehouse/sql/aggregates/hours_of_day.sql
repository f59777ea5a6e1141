-- One row: an hour of the day (0 to 23) and an emotion, with the number of rows and their share of the labelled rows of
-- that hour.
SELECT
    hour_of_day,
    emotion,
    sum(rows)::BIGINT AS rows,
    sum(rows) / sum(sum(rows)) OVER (PARTITION BY hour_of_day) AS share
FROM (SELECT *, hour(starts)::INTEGER AS hour_of_day FROM hours)
WHERE starts IS NOT NULL AND emotion IS NOT NULL
GROUP BY hour_of_day, emotion
ORDER BY hour_of_day, emotion
