-- One row: the name of a conversation, and the hash that represents it in `turns`.
SELECT hash(conversation) AS talk, any_value(conversation) AS conversation
FROM utterances
WHERE conversation IS NOT NULL AND emotion IS NOT NULL
GROUP BY talk
