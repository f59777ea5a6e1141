-- The least certain texts first; but before all, one for each spelling, so that numbered copies of a line wait behind.
SELECT entry, times
FROM texts
WHERE letters IS NOT NULL
ORDER BY entry NOT IN (SELECT min(entry) FROM texts WHERE letters IS NOT NULL GROUP BY letters), entry
LIMIT $most
