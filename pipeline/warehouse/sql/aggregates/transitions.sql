-- One row: two emotions of consecutive counted utterances (see `turns`) of one speaker in one conversation
-- (`emotion_before`, `emotion`), with the number of such pairs and their share of all pairs with that `emotion_before`.
-- In a conversation without speakers: two emotions of consecutive utterances.
SELECT
    before AS emotion_before,
    emotion,
    count(*) AS times,
    count(*) / sum(count(*)) OVER (PARTITION BY before) AS share
FROM (SELECT emotion, lag(emotion) OVER (PARTITION BY who ORDER BY turn) AS before FROM turns WHERE who IS NOT NULL)
WHERE before IS NOT NULL
GROUP BY before, emotion
ORDER BY before, emotion
