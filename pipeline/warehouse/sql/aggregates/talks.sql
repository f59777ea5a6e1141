-- One row: a conversation's name, and the hash that stands for it in `turns`.
SELECT hash(conversation) AS talk, any_value(conversation) AS conversation
FROM utterances
WHERE conversation IS NOT NULL AND emotion IS NOT NULL
GROUP BY talk
