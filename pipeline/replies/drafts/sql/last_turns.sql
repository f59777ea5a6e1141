-- One row: an utterance of a conversation to answer: the last utterance of a customer (`turn` = `last_turn`), or one of the
-- utterances `before` it or `after` it, as many as the table `asked` says. The conversations are in order, and so are the
-- utterances. Only the conversations after the one with the `number` in `asked`.
SELECT
    turns_to_answer.number, conversation, turn, last_turn, said_at::TIMESTAMP AS said_at, text, emotion::VARCHAR AS emotion,
    confidence::FLOAT AS confidence, who, flags
FROM turns_to_answer
LEFT JOIN flags_of_turns USING (part, row)
CROSS JOIN asked
WHERE turns_to_answer.number > asked.number AND turn BETWEEN last_turn - asked.before AND last_turn + asked.after
ORDER BY turns_to_answer.number, turn
