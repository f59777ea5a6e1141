-- One row: the number of conversations, of those that stayed negative until their end after a better start (`turned`),
-- and of those in which a speaker ended so (`soured`).
SELECT
    count(*) AS conversations,
    count(turned_at_turn) AS turned,
    (SELECT count(DISTINCT conversation) FROM soured) AS soured
FROM conversations
