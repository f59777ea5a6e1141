-- One row: two emotions, with the number of times that a speaker's labelled utterance with the second directly followed
-- one with the first in the same conversation, and the share of all transitions from the first.
SELECT
    before AS emotion_before,
    emotion,
    count(*) AS times,
    count(*) / sum(count(*)) OVER (PARTITION BY before) AS share
FROM (SELECT emotion, lag(emotion) OVER (PARTITION BY hash(talk, speaker) ORDER BY turn) AS before FROM turns)
WHERE before IS NOT NULL
GROUP BY before, emotion
ORDER BY before, emotion
