-- One row: the number of chosen conversations, the number of those in which no speaker has a known role although several
-- speak, and the number of those without speakers.
SELECT
    count(*) AS conversations,
    count(*) FILTER (speakers > 1 AND counted = 'all') AS unknown,
    count(*) FILTER (speakers = 0) AS without
FROM chosen
JOIN (
    SELECT talk, count(DISTINCT speaker) AS speakers FROM in_conversations SEMI JOIN chosen USING (talk) GROUP BY talk
) USING (talk)
LEFT JOIN conversation_roles USING (talk)
