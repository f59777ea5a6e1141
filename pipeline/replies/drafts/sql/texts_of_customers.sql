-- One row: an utterance of a conversation that is not from an agent.
SELECT talk, text
FROM in_conversations
LEFT JOIN speakers USING (speaker)
WHERE role IS DISTINCT FROM 'agent' AND text IS NOT NULL
