-- Number of rows, and number of distinct texts, that are neither too short nor too long.
SELECT coalesce(sum(times), 0)::BIGINT, count(*) FROM texts WHERE letters IS NOT NULL
