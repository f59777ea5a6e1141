-- Number of rows and of distinct texts to choose from.
SELECT coalesce(sum(times), 0)::BIGINT, count(*) FROM texts WHERE letters IS NOT NULL
