-- One row: a tenth of the way through a conversation (0 to 9) and an emotion, with the rows that have it and their share of
-- all at that point. Conversations of fewer than three labelled utterances have no course and are left out.
SELECT
    tenth,
    emotion,
    count(*) AS rows,
    count(*) / sum(count(*)) OVER (PARTITION BY tenth) AS share
FROM (
    SELECT emotion, ((turn - 1) * 10 // turns)::INTEGER AS tenth
    FROM turns JOIN conversations USING (talk)
    WHERE turns >= 3
)
GROUP BY tenth, emotion
ORDER BY tenth, emotion
