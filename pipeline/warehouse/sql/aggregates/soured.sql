-- One row: a speaker in a conversation (or the whole conversation if no speaker is known) whose first emotion was not
-- negative, and whose last emotion was anger, depression or anxiety with a confidence of 0.6 or more.
SELECT conversation, ended.* EXCLUDE (talk)
FROM (
    SELECT
        talk,
        speaker,
        count(*) AS turns,
        min_by(emotion, turn) AS first_emotion,
        max_by(emotion, turn) AS last_emotion,
        max_by(confidence, turn) AS last_confidence,
        max(turn) AS last_turn,
        max(said_at) AS ended_at
    FROM turns
    GROUP BY talk, speaker
    HAVING NOT min_by(negative, turn) AND max_by(alarming, turn) AND last_confidence >= 0.6
) AS ended
JOIN talks USING (talk)
