-- The texts with the lowest margins. One text of each spelling comes first; numbered copies of a line follow.
SELECT entry, times
FROM texts
WHERE letters IS NOT NULL
ORDER BY entry NOT IN (SELECT min(entry) FROM texts WHERE letters IS NOT NULL GROUP BY letters), entry
LIMIT $most
