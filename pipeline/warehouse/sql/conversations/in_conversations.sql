-- One row: an utterance of a conversation, with the columns of `utterances` and the hash of its conversation (`talk`).
-- Equal conversation IDs in different inputs are different conversations, except as shared_ids.sql says.
SELECT
    CASE WHEN conversation_scope() = 'archive' THEN hash(conversation, 0)
        ELSE hash(conversation, coalesce(first_input, input_number))
    END AS talk,
    utterances.*
FROM utterances LEFT JOIN shared_ids USING (conversation, input_number)
WHERE conversation IS NOT NULL
