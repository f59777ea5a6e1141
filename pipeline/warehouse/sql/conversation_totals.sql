-- One row: the number of conversations; how many of them became negative and stayed negative until their end (`turned`);
-- how many have a row in the aggregate `soured`; the labelled rows without a conversation; the number of conversations by
-- the utterances that count (see conversation_roles.sql); the number of conversations with a counted utterance, and of
-- those without a speaker; and the number of conversation IDs that occur in several inputs (`shared_ids`; `joined_ids`: all
-- their rows are one conversation).
SELECT
    (SELECT count(*) FROM talks) AS conversations,
    (SELECT count(turned_at_turn) FROM conversations) AS turned,
    (SELECT count(DISTINCT (conversation, input)) FROM soured) AS soured,
    (SELECT count(*) FROM utterances WHERE conversation IS NULL AND emotion IS NOT NULL) AS without_conversation,
    (SELECT count(*) FROM conversation_roles WHERE counted = 'customer') AS of_customers,
    (SELECT count(*) FROM conversation_roles WHERE counted = 'not_agent') AS of_others_than_agents,
    (SELECT count(*) FROM conversations) AS counted_conversations,
    (SELECT count(DISTINCT talk) FROM turns WHERE who = talk) AS without_speakers,
    (SELECT count(DISTINCT conversation) FROM shared_ids) AS shared_ids,
    (
        SELECT count(*)
        FROM (SELECT 1 FROM shared_ids GROUP BY conversation HAVING count(DISTINCT first_input) = 1)
    ) AS joined_ids
