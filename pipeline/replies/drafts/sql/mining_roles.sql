-- One row: the number of conversations in which a customer or an agent is known (`known`), and in which no role is known.
SELECT
    count(*) FILTER (counted <> 'all')::BIGINT AS known,
    count(*) FILTER (counted = 'all')::BIGINT AS unknown
FROM conversation_roles
