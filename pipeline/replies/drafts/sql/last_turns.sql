-- One row: an utterance of a conversation to answer: the last utterance of a customer (`turn` = `last_turn`), or one of the
-- utterances before it, as many as the table `asked` says. The conversations are in order, and so are the utterances.
-- Only the conversations after the one that `asked` names.
SELECT
    number, conversation, turn, last_turn, said_at::TIMESTAMP AS said_at, text, emotion::VARCHAR AS emotion,
    confidence::FLOAT AS confidence, who, flags
FROM turns_to_answer
LEFT JOIN flags_of_turns USING (part, row)
CROSS JOIN asked
WHERE number > asked.after AND turn >= last_turn - asked.before
ORDER BY number, turn
