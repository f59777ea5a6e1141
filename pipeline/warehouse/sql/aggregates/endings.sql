-- One row: two emotions, how many conversations of two labelled utterances or more began with the first and ended with the
-- second, and their share of those that began so.
SELECT
    first_emotion,
    last_emotion,
    count(*) AS conversations,
    count(*) / sum(count(*)) OVER (PARTITION BY first_emotion) AS share
FROM conversations
WHERE turns >= 2
GROUP BY first_emotion, last_emotion
ORDER BY first_emotion, last_emotion
