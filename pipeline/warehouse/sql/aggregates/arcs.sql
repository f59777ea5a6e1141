-- One row: a tenth of the course of a conversation (0 to 9) and an emotion, with the number of rows and their share of
-- all rows in that tenth. Conversations with fewer than three labelled utterances are left out.
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
