-- One row: an utterance of a chosen conversation in which a customer speaks. `last_turn`: number of the last utterance of a
-- customer.
-- `turn`: number of the utterance in the conversation, or of a row without a conversation in the archive, from 1. `who`: customer, agent or other. Where no customer is known,
-- the utterances that are not from agents count as those of a customer (see conversation_roles.sql).
CREATE TABLE turns_to_answer AS
WITH rows_of_parts AS (
    SELECT part, count(*) AS rows FROM utterances GROUP BY part
), first_rows AS (
    SELECT part, coalesce(sum(rows) OVER (ORDER BY part ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW), 0)::BIGINT + 1 AS first
    FROM rows_of_parts
), numbered AS (
    SELECT
        number,
        row_number() OVER (
            PARTITION BY number ORDER BY filled_at, late, input_number, turn_number, spoken.part, spoken.row
        ) AS turn,
        conversation,
        said_at,
        text,
        emotion,
        confidence,
        counts,
        CASE
            WHEN role IS NOT NULL THEN role
            WHEN counted = 'not_agent' THEN 'customer'
            ELSE 'other'
        END AS who,
        spoken.part,
        spoken.row
    FROM spoken
    JOIN chosen USING (talk)
    LEFT JOIN speakers USING (speaker)
    LEFT JOIN conversation_roles USING (talk)
    UNION ALL
    SELECT
        number, first + utterances.row, NULL, said_at, text, emotion, confidence, true, coalesce(role, 'other'),
        utterances.part, utterances.row
    FROM utterances
    JOIN chosen USING (part, row)
    JOIN first_rows USING (part)
    LEFT JOIN speakers USING (speaker)
)
SELECT *, max(turn) FILTER (counts) OVER (PARTITION BY number) AS last_turn
FROM numbered
QUALIFY last_turn IS NOT NULL
