-- One row: two emotions of consecutive labelled utterances of one speaker in one conversation (`emotion_before`,
-- `emotion`), with the number of such pairs and their share of all pairs with that `emotion_before`.
SELECT
    before AS emotion_before,
    emotion,
    count(*) AS times,
    count(*) / sum(count(*)) OVER (PARTITION BY before) AS share
FROM (SELECT emotion, lag(emotion) OVER (PARTITION BY hash(talk, speaker) ORDER BY turn) AS before FROM turns)
WHERE before IS NOT NULL
GROUP BY before, emotion
ORDER BY before, emotion
