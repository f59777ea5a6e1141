-- One row: a labelled utterance of a conversation (`talk`: hash of its name), with its number in the conversation
-- (`turn`, from 1; sorted by time, then by position in the archive) and the number of non-negative utterances up to
-- this turn (`calm`: constant within a run of negative utterances).
SELECT
    hash(conversation) AS talk,
    row_number() OVER spoken AS turn,
    count(*) FILTER (NOT negative) OVER spoken AS calm,
    speaker,
    said_at,
    emotion,
    negative,
    alarming,
    confidence
FROM utterances
WHERE conversation IS NOT NULL AND emotion IS NOT NULL
WINDOW spoken AS (PARTITION BY hash(conversation) ORDER BY said_at, part, row)
