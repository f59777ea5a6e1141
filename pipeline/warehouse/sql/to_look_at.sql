-- One row: a conversation to look at, with the speaker whose last emotion has the highest confidence. The rows are
-- sorted by day, latest first, then by confidence, highest first.
CREATE OR REPLACE TEMP TABLE to_look_at AS
SELECT *
FROM (
    SELECT *
    FROM soured
    QUALIFY row_number() OVER (PARTITION BY conversation, input ORDER BY last_confidence DESC, speaker) = 1
)
ORDER BY ended_at::DATE DESC NULLS LAST, last_confidence DESC, conversation, input
LIMIT $most
