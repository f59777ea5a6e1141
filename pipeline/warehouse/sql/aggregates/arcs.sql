-- One row: a position in the course of a conversation (`tenth`, 0: the first counted utterance, 9: the last one) and an
-- emotion, with its share of all conversations at that position, and the number of these conversations. Conversations with
-- fewer than three counted utterances (see `turns`) are left out. Each conversation has the same weight at each position.
-- Utterance t of n is at (t - 1) / (n - 1) of the course. A position between two utterances is divided between them: the
-- nearer one has the larger part. An emotion without utterances at a position has a row with the share 0.
WITH sampled AS (  -- the position tenth / 9 is `ninths` ninths of the way from utterance before + 1 to the next one
    SELECT talk, tenth, tenth * (turns - 1) // 9 AS before, tenth * (turns - 1) % 9 AS ninths
    FROM conversations, range(10) AS tenths(tenth)
    WHERE turns >= 3
), parts AS (
    SELECT talk, tenth, before + 1 AS turn, 9 - ninths AS ninths FROM sampled
    UNION ALL
    SELECT talk, tenth, before + 2, ninths FROM sampled WHERE ninths > 0
), found AS (
    SELECT tenth, emotion, sum(ninths) AS ninths
    FROM parts JOIN turns USING (talk, turn)
    GROUP BY tenth, emotion
)
SELECT
    tenth::INTEGER AS tenth,
    emotion,
    coalesce(ninths, 0) / 9 AS conversations,
    coalesce(ninths, 0) / sum(ninths) OVER (PARTITION BY tenth) AS share
FROM (SELECT DISTINCT tenth FROM found) CROSS JOIN (SELECT DISTINCT emotion FROM found)
LEFT JOIN found USING (tenth, emotion)
ORDER BY tenth, emotion
