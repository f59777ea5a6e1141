-- One row: a run of an agent after a run of a customer (see mining_turns.sql), with the place of the question (the last
-- utterance of the customer before the run: `question_part`, `question_row`), its emotion, and the `outcome`: `kept`, or why
-- the run gives no pair. The level of an emotion is $levels[n] for the label $labels[n]: a higher level is a better emotion,
-- and null means that the level is unknown.
CREATE OR REPLACE TEMP TABLE mining_exchanges AS
WITH runs AS (
    SELECT
        talk,
        run,
        any_value(customer) AS customer,
        arg_min(emotion, turn) AS first_emotion,
        arg_min(confidence, turn) AS first_confidence,
        arg_max(emotion, turn) AS last_emotion,
        arg_max(confidence, turn) AS last_confidence,
        arg_max(part, turn) AS last_part,
        arg_max(row, turn) AS last_row
    FROM mining_turns
    GROUP BY talk, run
), around AS (
    SELECT
        talk,
        run,
        customer,
        lag(customer) OVER by_run AS asking,
        lag(last_part) OVER by_run AS question_part,
        lag(last_row) OVER by_run AS question_row,
        lag(last_emotion) OVER by_run AS emotion,
        lag(last_confidence) OVER by_run AS confidence,
        lead(customer) OVER by_run AS next_customer,
        lead(first_emotion) OVER by_run AS next_emotion,
        lead(first_confidence) OVER by_run AS next_confidence
    FROM runs
    WINDOW by_run AS (PARTITION BY talk ORDER BY run)
), levelled AS (
    SELECT
        *,
        list_extract($levels::INTEGER[], list_position($labels::VARCHAR[], emotion)) AS level,
        list_extract($levels::INTEGER[], list_position($labels::VARCHAR[], next_emotion)) AS next_level
    FROM around
    WHERE customer IS NULL AND asking IS NOT NULL
)
SELECT
    talk,
    run,
    question_part,
    question_row,
    emotion,
    CASE
        WHEN next_customer IS DISTINCT FROM asking THEN 'without_next'
        WHEN confidence >= $least AND next_confidence >= $least THEN
            CASE
                WHEN next_level > level THEN 'kept'
                WHEN next_level <= level THEN 'not_better'
                ELSE 'unknown_label'
            END
        ELSE 'unsure'
    END AS outcome
FROM levelled
