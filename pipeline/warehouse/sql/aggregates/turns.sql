-- One row: a labelled utterance of a conversation (`talk` is the hash of its name), with its number there (`turn`, from 1;
-- in order of time, then of the archive) and how many utterances so far were not negative (`calm`: the same within a run of
-- negative ones).
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
