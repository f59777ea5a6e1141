-- One row: a conversation to look at, numbered from 1. It is in the list of the report (see the aggregate `soured`), its last
-- utterance that counts is negative with a confidence of 0.6 or more, or it is in `crises`. The conversations in `crises`
-- come first. Then, as in the report: the latest day first, and of each day the highest confidence first.
CREATE TABLE chosen AS
WITH ended AS (
    SELECT
        talk,
        max(said_at) AS ended_at,
        max_by(confidence, turn) AS last_confidence,
        arg_max_null(negative, turn) IS TRUE AND max_by(confidence, turn) >= 0.6 AS badly
    FROM turns
    GROUP BY talk
), looked_at AS (
    SELECT talk, last_confidence
    FROM soured
    JOIN talks ON talks.conversation = soured.conversation AND talks.input IS NOT DISTINCT FROM soured.input
    UNION ALL
    SELECT talk, last_confidence FROM ended WHERE badly
    UNION ALL
    SELECT talk, NULL FROM crises
), found AS (
    SELECT talk, max(looked_at.last_confidence) AS last_confidence, any_value(ended_at) AS ended_at
    FROM looked_at LEFT JOIN ended USING (talk)
    GROUP BY talk
)
SELECT
    row_number() OVER (
        ORDER BY
            crises.talk IS NOT NULL DESC, ended_at::DATE DESC NULLS LAST, last_confidence DESC NULLS LAST,
            talks.conversation, talks.input
    ) AS number,
    found.talk,
    NULL::BIGINT AS part,
    NULL::BIGINT AS row
FROM found
JOIN talks USING (talk)
LEFT JOIN crises USING (talk)
