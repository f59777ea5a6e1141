-- One row: a conversation (its ID, and the first input that contains it) and an emotion, with the number of counted
-- utterances (see `turns`) that have this emotion, and their share of the counted utterances of the conversation.
SELECT conversation, input, emotion, rows, rows / sum(rows) OVER (PARTITION BY talk) AS share
FROM (SELECT talk, emotion, count(*) AS rows FROM turns GROUP BY talk, emotion) JOIN talks USING (talk)
