-- One row: a conversation and an emotion, with the number of utterances that have this emotion, and their share of the
-- labelled utterances of the conversation.
SELECT conversation, emotion, count(*) AS rows, count(*) / sum(count(*)) OVER (PARTITION BY conversation) AS share
FROM utterances
WHERE conversation IS NOT NULL AND emotion IS NOT NULL
GROUP BY conversation, emotion
