-- One row: a conversation to look at (see the aggregate `soured`), numbered from 1 in the order of the report: the latest
-- day first, and of each day the highest confidence first.
CREATE TABLE chosen AS
SELECT
    row_number() OVER (
        ORDER BY ended_at::DATE DESC NULLS LAST, last_confidence DESC, talks.conversation, talks.input
    ) AS number,
    talk,
    NULL::BIGINT AS part,
    NULL::BIGINT AS row
FROM (
    SELECT conversation, input, last_confidence, ended_at
    FROM soured
    QUALIFY row_number() OVER (PARTITION BY conversation, input ORDER BY last_confidence DESC, speaker) = 1
) AS found
JOIN talks ON talks.conversation = found.conversation AND talks.input IS NOT DISTINCT FROM found.input
