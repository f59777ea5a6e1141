-- How many rows and how many distinct texts there are to choose from.
SELECT coalesce(sum(times), 0)::BIGINT, count(*) FROM texts WHERE letters IS NOT NULL
