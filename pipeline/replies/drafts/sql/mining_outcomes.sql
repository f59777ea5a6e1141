-- One row: an outcome of mining_exchanges.sql, with the number of exchanges.
SELECT outcome, count(*) AS exchanges FROM mining_exchanges GROUP BY outcome ORDER BY outcome
