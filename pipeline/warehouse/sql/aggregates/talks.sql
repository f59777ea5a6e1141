-- One row: the hash that represents a conversation in `turns`, the conversation's ID, the first input that contains the
-- conversation (null: unknown), and the number of its labelled utterances.
SELECT
    talk,
    any_value(conversation) AS conversation,
    input_name(min(input_number)) AS input,
    count(*) AS utterances
FROM in_conversations
WHERE emotion IS NOT NULL
GROUP BY talk
