-- One row: an utterance of a conversation to look at, in order. Only the last $most utterances of each conversation, and
-- the utterance whose emotion is `last_emotion` of the conversation (`is_last`).
SELECT
    to_look_at.conversation,
    to_look_at.input,
    found.speaker,
    said_at,
    emotion,
    confidence,
    text,
    emotion IS NOT NULL AND counts AND last_turn = count(*) FILTER (emotion IS NOT NULL AND counts) OVER (
        PARTITION BY talk ORDER BY filled_at, late, input_number, turn_number, part, row ROWS UNBOUNDED PRECEDING
    ) AS is_last
FROM (FROM spoken WHERE conversation IN (SELECT conversation FROM to_look_at)) AS found
JOIN talks USING (talk)
JOIN to_look_at ON to_look_at.conversation = talks.conversation AND to_look_at.input IS NOT DISTINCT FROM talks.input
QUALIFY is_last OR row_number() OVER (PARTITION BY talk ORDER BY filled_at DESC, late DESC, input_number DESC, turn_number DESC NULLS FIRST, part DESC, row DESC) <= $most
ORDER BY talks.conversation, talks.input, filled_at, late, input_number, turn_number, part, row
