-- One row: the label of $labels that customers have in the most conversations, with the number of these conversations.
SELECT emotion::VARCHAR AS label, count(DISTINCT talk) AS conversations
FROM spoken
WHERE counts AND emotion::VARCHAR IN (SELECT unnest($labels::VARCHAR[]))
GROUP BY label
ORDER BY conversations DESC, label
LIMIT 1
