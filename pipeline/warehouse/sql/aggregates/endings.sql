-- One row: a first and a last emotion, with the number of conversations that have both, and their share of the
-- conversations with that first emotion. Conversations with only one labelled utterance are left out.
SELECT
    first_emotion,
    last_emotion,
    count(*) AS conversations,
    count(*) / sum(count(*)) OVER (PARTITION BY first_emotion) AS share
FROM conversations
WHERE turns >= 2
GROUP BY first_emotion, last_emotion
ORDER BY first_emotion, last_emotion
