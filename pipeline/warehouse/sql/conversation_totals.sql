-- The one row: how many conversations there are, how many turned negative and stayed so to their end, and in how many of them
-- a speaker ended badly after a better start.
SELECT
    count(*) AS conversations,
    count(turned_at_turn) AS turned,
    (SELECT count(DISTINCT conversation) FROM soured) AS soured
FROM conversations
