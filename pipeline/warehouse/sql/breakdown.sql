-- One row: a value of a column and an emotion, with the number of rows and their share of the labelled rows with that
-- value. Blank and missing values are one value (`value` is ''). The values after the $most most frequent ones are joined into one value (`others` is true, `value` is null).
-- Numbers and dates are in their order; other values are in the order of their rows, most first. Joined values are last.
WITH counted AS (
    SELECT coalesce(visible(value), '') AS value, emotion, count(*) AS rows
    FROM broken_down
    WHERE emotion IS NOT NULL
    GROUP BY ALL
), ranked AS (
    SELECT value, row_number() OVER (ORDER BY sum(rows) DESC, value) AS position
    FROM counted
    GROUP BY value
), gathered AS (
    SELECT
        CASE WHEN position <= $most THEN value END AS value,
        position > $most AS others,
        emotion,
        sum(rows)::BIGINT AS rows,
        least(min(position), $most + 1) AS position
    FROM counted JOIN ranked USING (value)
    GROUP BY 1, others, emotion
)
SELECT value, others, emotion, rows, rows / sum(rows) OVER (PARTITION BY position) AS share
FROM gathered
ORDER BY
    others,
    -- numbers, such as 1 to 5, and dates in their order: not by their frequency
    CASE
        WHEN bool_and(coalesce(value, '') = '' OR try_cast(value AS DOUBLE) IS NOT NULL) OVER ()
            THEN coalesce(try_cast(value AS DOUBLE), 'inf')
        WHEN bool_and(coalesce(value, '') = '' OR try_cast(value AS DATE) IS NOT NULL) OVER ()
            THEN coalesce(epoch(try_cast(value AS DATE)), 'inf')
    END,
    position,
    emotion
