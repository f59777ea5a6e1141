-- One row: an exchange with the outcome `kept` (see mining_exchanges.sql), with the texts of the question and of the answer
-- (at most $most characters each), the emotion of the question, and the names of the speakers. The utterances of the answer
-- are joined with line breaks.
CREATE OR REPLACE TEMP TABLE mining_texts AS
WITH places AS (
    SELECT question_part, question_row, emotion, 0 AS turn, question_part AS part, question_row AS row
    FROM mining_exchanges
    WHERE outcome = 'kept'
    UNION ALL
    SELECT question_part, question_row, mining_exchanges.emotion, turn, part, row
    FROM mining_exchanges JOIN mining_turns USING (talk, run)
    WHERE outcome = 'kept'
)
SELECT
    question_part,
    question_row,
    any_value(left(text, $most)) FILTER (turn = 0) AS question,
    left(string_agg(left(text, $most), chr(10) ORDER BY turn) FILTER (turn > 0), $most) AS answer,
    any_value(places.emotion) AS emotion,
    list_sort(list_distinct(list(speaker))) AS speakers
FROM places JOIN utterances USING (part, row)
GROUP BY question_part, question_row
