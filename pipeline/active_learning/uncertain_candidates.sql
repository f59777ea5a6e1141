-- The texts with the lowest margins. Among texts with equal `letters`, one text comes first; the other texts (for example
-- numbered copies of a line) come at the end.
SELECT entry, times
FROM texts
WHERE letters IS NOT NULL
ORDER BY entry NOT IN (SELECT min(entry) FROM texts WHERE letters IS NOT NULL GROUP BY letters), entry
LIMIT $most
