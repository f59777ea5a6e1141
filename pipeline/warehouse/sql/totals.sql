-- One row: the totals of the archive.
SELECT
    coalesce(sum(rows), 0)::BIGINT AS rows,
    coalesce(sum(rows) FILTER (emotion IS NOT NULL), 0)::BIGINT AS labelled,
    coalesce(sum(rows) FILTER (status = 'truncated'), 0)::BIGINT AS truncated,
    coalesce(sum(rows) FILTER (status = 'empty'), 0)::BIGINT AS empty,
    coalesce(sum(rows) FILTER (starts IS NULL), 0)::BIGINT AS without_time,
    min(starts)::DATE AS first_day,
    max(starts)::DATE AS last_day
FROM hours
