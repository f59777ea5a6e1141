-- One row: a conversation and an emotion, with the number of its utterances that have the emotion, and their share of
-- its labelled utterances.
SELECT conversation, emotion, count(*) AS rows, count(*) / sum(count(*)) OVER (PARTITION BY conversation) AS share
FROM utterances
WHERE conversation IS NOT NULL AND emotion IS NOT NULL
GROUP BY conversation, emotion
