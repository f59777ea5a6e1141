-- One row: the number of conversations in which an agent speaks (`answered`), and in which no agent is known.
SELECT count(*) FILTER (answered)::BIGINT AS answered, count(*) FILTER (NOT answered)::BIGINT AS unanswered
FROM (SELECT bool_or(customer IS NULL) AS answered FROM mining_turns GROUP BY talk)
