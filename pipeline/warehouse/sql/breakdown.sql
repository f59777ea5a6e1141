-- One row: a value of a column and an emotion, with the number of rows that carry it, their share of the labelled rows with
-- that value, and the number of these labelled rows (`labelled`). Blank and missing values are one value (`value` is ''). The values after the $most most frequent ones are joined into one value (`others` is true, `value` is null).
-- Numbers and dates are in their order; other values are in the order of their rows, most first. Joined values are last.
WITH counted AS (
    SELECT coalesce(visible(value), '') AS value, emotion, count(*) AS rows
    FROM broken_down
    WHERE emotion IS NOT NULL AND NOT has_label_sets()
    GROUP BY ALL
    UNION ALL
    SELECT coalesce(visible(value), ''), label, count(*)
    FROM (SELECT value, unnest(label_set) AS label FROM broken_down WHERE has_label_sets())
    GROUP BY ALL
), sizes AS (
    SELECT value, sum(rows) AS labelled FROM counted WHERE NOT has_label_sets() GROUP BY value
    UNION ALL
    SELECT coalesce(visible(value), ''), count(*)
    FROM broken_down
    WHERE emotion IS NOT NULL AND has_label_sets()
    GROUP BY ALL
), ranked AS (
    SELECT value, labelled, row_number() OVER (ORDER BY labelled DESC, value) AS position FROM sizes
), gathered AS (
    SELECT
        CASE WHEN position <= $most THEN value END AS value,
        position > $most AS others,
        emotion,
        sum(rows)::BIGINT AS rows,
        least(min(position), $most + 1) AS position
    FROM counted JOIN ranked USING (value)
    GROUP BY 1, others, emotion
), wholes AS (
    SELECT least(position, $most + 1) AS position, sum(labelled)::BIGINT AS labelled FROM ranked GROUP BY 1
)
SELECT value, others, emotion, rows, rows / labelled AS share, labelled
FROM gathered JOIN wholes USING (position)
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
