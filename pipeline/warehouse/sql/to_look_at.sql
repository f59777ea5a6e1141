-- One row: a conversation to look at, the latest days first and on a day those that ended worst; each once, for the speaker
-- of whose end the model is surest.
CREATE OR REPLACE TEMP TABLE to_look_at AS
SELECT *
FROM (
    SELECT *
    FROM soured
    QUALIFY row_number() OVER (PARTITION BY conversation ORDER BY last_confidence DESC, speaker) = 1
)
ORDER BY ended_at::DATE DESC NULLS LAST, last_confidence DESC, conversation
LIMIT $most
