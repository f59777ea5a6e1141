-- One row: two emotions, how often a speaker's utterance with the second followed one with the first in the same
-- conversation (nothing of that speaker in between that is labelled), and the share of all that followed the first.
SELECT
    before AS emotion_before,
    emotion,
    count(*) AS times,
    count(*) / sum(count(*)) OVER (PARTITION BY before) AS share
FROM (SELECT emotion, lag(emotion) OVER (PARTITION BY hash(talk, speaker) ORDER BY turn) AS before FROM turns)
WHERE before IS NOT NULL
GROUP BY before, emotion
ORDER BY before, emotion
