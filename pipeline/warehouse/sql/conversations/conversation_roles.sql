-- One row: a conversation (`talk`: its hash) with a speaker, with the utterances that count for its figures (`counted`):
-- `customer`: those of customers; `not_agent`: no speaker is known as a customer, so all except those of agents; `all`:
-- no speaker has a known role. `named`: whether a counted utterance has a speaker.
SELECT
    talk,
    CASE
        WHEN bool_or(role = 'customer') THEN 'customer'
        WHEN bool_or(role = 'agent') THEN 'not_agent'
        ELSE 'all'
    END AS counted,
    bool_or(role IS DISTINCT FROM 'agent') AS named
FROM in_conversations JOIN speakers USING (speaker)
WHERE has_speakers() AND emotion IS NOT NULL
GROUP BY talk
