-- One row: the number of conversations; the number of conversations that became negative and stayed negative until
-- their end (`turned`); and the number of conversations that have a row in the aggregate `soured`.
SELECT
    count(*) AS conversations,
    count(turned_at_turn) AS turned,
    (SELECT count(DISTINCT conversation) FROM soured) AS soured
FROM conversations
