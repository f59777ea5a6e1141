-- One row: a labelled utterance of a customer or an agent, with its number in the conversation (`turn`, from 1) and the
-- number of its run (`run`, from 1): consecutive utterances of one customer, or of agents. `customer`: hash of the customer
-- in the conversation; null for an agent. In a conversation with a known customer, all other speakers are agents. In a
-- conversation in which no role is known, all speakers are customers. Utterances without a speaker beside others with one
-- are left out.
CREATE OR REPLACE TEMP TABLE mining_turns AS
WITH said AS (
    SELECT
        talk,
        part,
        row,
        emotion::VARCHAR AS emotion,
        confidence,
        CASE WHEN counts THEN who END AS customer,
        row_number() OVER (
            PARTITION BY talk ORDER BY filled_at, late, input_number, turn_number, part, row
        ) AS turn
    FROM spoken
    WHERE emotion IS NOT NULL AND CASE WHEN counts THEN who IS NOT NULL ELSE speaker IS NOT NULL END
), changes AS (
    SELECT
        *,
        turn = 1 OR customer IS DISTINCT FROM lag(customer) OVER (PARTITION BY talk ORDER BY turn) AS begins
    FROM said
)
SELECT
    * EXCLUDE (begins),
    count(*) FILTER (begins) OVER (PARTITION BY talk ORDER BY turn) AS run
FROM changes
