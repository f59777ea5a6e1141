-- One row: a conversation with at least one counted utterance (see `turns`): its ID, the first input that contains it,
-- the number of its labelled utterances and of its counted utterances (`turns`), the first and last emotion of the counted
-- utterances, the share of negative utterances, the length of the longest run of negative utterances, and the turn and
-- time from which the conversation stayed negative until its end (null: it did not end negative, or was negative from the
-- first turn; the time is null if the time of that turn is unknown). All figures about negative utterances are null if the meaning of a label of the conversation is unknown.
WITH runs AS (
    SELECT talk, calm, count(*) AS length, min(turn) AS first_turn, max(turn) AS last_turn, arg_min_null(said_at, turn) AS since
    FROM turns
    WHERE negative
    GROUP BY talk, calm
), worst AS (
    SELECT talk, max(length) AS longest_negative_run, max_by(first_turn, last_turn) AS first_turn,
        max(last_turn) AS last_turn, max_by(since, last_turn) AS since
    FROM runs
    GROUP BY talk
), whole AS (
    SELECT
        talk,
        count(*) AS turns,
        min(said_at) AS began_at,
        max(said_at) AS ended_at,
        min_by(emotion, turn) AS first_emotion,
        max_by(emotion, turn) AS last_emotion,
        max_by(confidence, turn) AS last_confidence,
        CASE WHEN count(negative) = count(*) THEN count(*) FILTER (negative) / count(*) END AS negative_share
    FROM turns
    GROUP BY talk
)
SELECT
    conversation,
    input,
    utterances,
    whole.*,
    CASE WHEN negative_share IS NOT NULL THEN coalesce(longest_negative_run, 0) END AS longest_negative_run,
    CASE WHEN last_turn = turns AND first_turn > 1 AND negative_share IS NOT NULL THEN first_turn END AS turned_at_turn,
    CASE WHEN last_turn = turns AND first_turn > 1 AND negative_share IS NOT NULL THEN since END AS turned_at
FROM whole
JOIN talks USING (talk)
LEFT JOIN worst USING (talk)
