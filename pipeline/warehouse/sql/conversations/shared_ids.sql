-- One row: a conversation ID that occurs in several inputs, and one of these inputs (`input_number`), with the input in
-- which the conversation begins (`first_input`). The rows of a conversation have the same `first_input`. With the scope
-- `auto`, equal IDs are one conversation if one of these is true:
-- - The IDs of the archive look globally unique: UUIDs, long random texts, or texts with a date and a time. A date alone is
--   enough only if the utterances have no times.
-- - The second input as a whole is later than the first input, and the utterances with the ID in the second input begin at
--   most `patience` after those in the first input. So a conversation may continue after midnight in the next file.
WITH pieces AS MATERIALIZED (
    SELECT
        conversation,
        input_number,
        min(said_at_utc) AS begins,
        max(said_at_utc) AS ends,
        count(said_at_utc) AS times
    FROM utterances
    WHERE conversation IS NOT NULL AND conversation_scope() = 'auto'
    GROUP BY conversation, input_number
), forms AS (
    SELECT
        conversation,
        -- hexadecimal with a letter and a digit, at least 16 characters long, dashes ignored
        lower(regexp_extract(replace(conversation, '-', ''), '[0-9A-Fa-f]{16,}')) AS hexadecimal,
        regexp_extract(conversation, '[0-9A-Za-z_-]{16,}') AS long_word
    FROM (SELECT DISTINCT conversation FROM pieces)
), looks AS (
    SELECT
        coalesce(avg((
            -- random texts mix at least eight different characters; a counter with leading zeros does not
            len(list_distinct(string_split(hexadecimal, ''))) >= 8
            AND regexp_matches(hexadecimal, '[a-f]') AND regexp_matches(hexadecimal, '[0-9]')
            OR len(list_distinct(string_split(long_word, ''))) >= 10
            AND len(regexp_extract_all(long_word, '[A-Za-z][0-9]|[0-9][A-Za-z]|[a-z][A-Z]')) >= 4
            -- a day and a time in seconds, a number of milliseconds since 1970, or a long number
            OR regexp_matches(
                conversation,
                '(^|[^0-9])(19|20)\d\d[-_./]?(0[1-9]|1[0-2])[-_./]?(0[1-9]|[12]\d|3[01])[-_./T ]?([01]\d|2[0-3])[-_.:]?[0-5]\d[-_.:]?[0-5]\d'
            )
            OR regexp_matches(conversation, '(^|[^0-9])(1[4-9]|2[0-4])\d{11}(\d{3}){0,2}($|[^0-9])')
            OR len(list_distinct(string_split(regexp_extract(conversation, '\d{17,}'), ''))) >= 7
        )::INTEGER), 0) >= 0.95 AS random,
        coalesce(avg(regexp_matches(
            conversation, '(^|[^0-9])(19|20)\d\d[-_./]?(0[1-9]|1[0-2])[-_./]?(0[1-9]|[12]\d|3[01])'
        )::INTEGER), 0) >= 0.95 AS dated
    FROM forms
), usual AS (
    -- ten times the mean time between two utterances, but at least 5 and at most 30 minutes
    SELECT to_seconds(greatest(300, least(1800, coalesce(
        10 * sum(epoch(ends) - epoch(begins)) / nullif(sum(times - 1) FILTER (times > 1), 0), 300
    )))) AS patience
    FROM pieces
), inputs AS (
    -- without the first and the last twentieth, because a few times may be wrong
    SELECT input_number, quantile_disc(begins, 0.05) AS first, quantile_disc(ends, 0.95) AS last
    FROM pieces
    GROUP BY input_number
), shared AS (
    SELECT
        conversation,
        input_number,
        begins,
        first,
        lag(ends) OVER by_time AS before,
        lag(last) OVER by_time AS last_before
    FROM pieces JOIN inputs USING (input_number)
    WHERE conversation IN (SELECT conversation FROM pieces GROUP BY conversation HAVING count(*) > 1)
    WINDOW by_time AS (PARTITION BY conversation ORDER BY begins, input_number)
), begun AS (
    SELECT
        *,
        CASE
            WHEN random OR (dated AND (begins IS NULL OR before IS NULL)) THEN 0
            WHEN begins - before BETWEEN INTERVAL 0 SECONDS AND patience AND first >= last_before THEN 0
            ELSE 1
        END AS new
    FROM shared, looks, usual
), numbered AS (
    SELECT
        conversation,
        input_number,
        sum(new) OVER (PARTITION BY conversation ORDER BY begins, input_number) AS number
    FROM begun
)
SELECT
    conversation,
    input_number,
    min(input_number) OVER (PARTITION BY conversation, number) AS first_input
FROM numbered
