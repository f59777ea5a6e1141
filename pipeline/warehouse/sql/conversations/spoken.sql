-- One row: an utterance of a conversation, with the columns of in_conversations.sql and
-- - `filled_at`, `late`: the order in the conversation. Sort by (filled_at, late, input_number, turn_number, part, row).
--   `turn_number` comes from a column such as seq, and decides if times are equal or missing. `filled_at` is the time. An
--   utterance without a time keeps its place in the archive: it gets the time of the utterance before it. If the
--   conversation is stored with
--   the newest utterance first, it gets the time of the utterance that is stored after it, and comes after this utterance
--   (`late`).
-- - `counts`: whether the utterance counts for the figures of the conversation (see conversation_roles.sql).
-- - `who`: hash of the conversation and the speaker. Where no speaker is known: hash of the conversation. Null if only
--   the other utterances of the conversation have speakers.
WITH untimed AS (
    SELECT DISTINCT talk FROM in_conversations WHERE has_times() AND said_at_utc IS NULL
), steps AS (
    SELECT
        talk,
        part,
        row,
        said_at_utc,
        last_value(said_at_utc IGNORE NULLS) OVER earlier AS before,
        first_value(said_at_utc IGNORE NULLS) OVER later AS after,
        last_value(said_at_utc IGNORE NULLS) OVER earlier_in_talk AS before_in_talk,
        first_value(said_at_utc IGNORE NULLS) OVER later_in_talk AS after_in_talk,
        input_number
    FROM in_conversations SEMI JOIN untimed USING (talk)
    WINDOW
        earlier AS (PARTITION BY talk, input_number ORDER BY part, row ROWS UNBOUNDED PRECEDING),
        later AS (PARTITION BY talk, input_number ORDER BY part, row ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING),
        earlier_in_talk AS (PARTITION BY talk ORDER BY part, row ROWS UNBOUNDED PRECEDING),
        later_in_talk AS (PARTITION BY talk ORDER BY part, row ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
), directed AS (
    SELECT
        *,
        count(*) FILTER (said_at_utc > after) OVER (PARTITION BY talk, input_number)
            > count(*) FILTER (said_at_utc < after) OVER (PARTITION BY talk, input_number) AS falls
    FROM steps
), placed AS (
    SELECT
        part,
        row,
        coalesce(
            CASE WHEN falls THEN after ELSE before END, CASE WHEN falls THEN before ELSE after END,
            before_in_talk, after_in_talk
        ) AS filled_at,
        falls AND after IS NOT NULL AS late
    FROM directed
    WHERE said_at_utc IS NULL
)
SELECT
    in_conversations.*,
    coalesce(said_at_utc, placed.filled_at) AS filled_at,
    coalesce(late, false) AS late,
    CASE counted
        WHEN 'customer' THEN role IS NOT DISTINCT FROM 'customer'
        WHEN 'not_agent' THEN role IS DISTINCT FROM 'agent'
        ELSE true
    END AS counts,
    CASE WHEN speaker IS NOT NULL THEN hash(talk, speaker) WHEN named IS NOT TRUE THEN talk END AS who
FROM in_conversations
LEFT JOIN placed USING (part, row)
LEFT JOIN speakers USING (speaker)
LEFT JOIN conversation_roles USING (talk)
