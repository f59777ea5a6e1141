-- One row: a speaker in a conversation (or the whole conversation if no speaker is known) whose first counted utterance
-- (see `turns`) was not negative, and whose last counted utterance has a label that needs attention (anger, depression,
-- anxiety, fear; all negative labels if the model has none of these) with a confidence of 0.6 or more. `last_turn`: number
-- of this utterance.
SELECT conversation, input, ended.* EXCLUDE (talk)
FROM (
    SELECT
        talk,
        any_value(speaker) AS speaker,
        count(*) AS turns,
        min_by(emotion, turn) AS first_emotion,
        max_by(emotion, turn) AS last_emotion,
        max_by(confidence, turn) AS last_confidence,
        max(turn) AS last_turn,
        max(said_at) AS ended_at
    FROM turns
    WHERE who IS NOT NULL
    GROUP BY talk, who
    HAVING NOT arg_min_null(negative, turn) AND arg_max_null(alarming, turn) AND last_confidence >= 0.6
) AS ended
JOIN talks USING (talk)
