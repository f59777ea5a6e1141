-- One row: an utterance of a conversation to look at, in order. Only the last $most utterances of each conversation.
SELECT conversation, speaker, said_at, emotion, confidence, text
FROM utterances
WHERE conversation IN (SELECT conversation FROM to_look_at)
QUALIFY row_number() OVER (PARTITION BY conversation ORDER BY said_at DESC, part DESC, row DESC) <= $most
ORDER BY conversation, said_at, part, row
