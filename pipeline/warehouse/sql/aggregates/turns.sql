-- One row: a labelled utterance that counts for the figures of its conversation (`talk`: hash of the conversation), with
-- its number in the conversation (`turn`, from 1) and the number of non-negative utterances up to this turn (`calm`:
-- constant within a run of negative utterances). The utterances of customers count. Where no customer is known, the
-- utterances that are not from agents count, and where no role is known, all utterances. They are sorted by time, then by
-- their number (see spoken.sql), then by position in the archive. An utterance without a time keeps its position. `who`: hash of the speaker in this
-- conversation (of the conversation, if no counted utterance has a speaker; null if only others have one). `negative` and
-- `alarming` are null for a label whose meaning is unknown.
SELECT
    talk,
    row_number() OVER in_order AS turn,
    count(*) FILTER (negative IS NOT TRUE) OVER in_order AS calm,
    speaker,
    who,
    said_at,
    emotion,
    negative,
    alarming,
    confidence
FROM spoken
WHERE emotion IS NOT NULL AND counts
WINDOW in_order AS (PARTITION BY talk ORDER BY filled_at, late, input_number, turn_number, part, row)
