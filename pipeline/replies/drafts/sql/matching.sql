-- One row: a conversation with a row of the table `matched`, numbered from 1 in the order of the archive. A matched row
-- without a conversation is a conversation of its own (`part` and `row` instead of `talk`), unless an agent speaks.
CREATE TABLE chosen AS
SELECT row_number() OVER (ORDER BY first) AS number, talk, part, row
FROM (
    SELECT talk, NULL::BIGINT AS part, NULL::BIGINT AS row, min((utterances.part, utterances.row)) AS first
    FROM in_conversations AS utterances SEMI JOIN matched USING (part, row)
    GROUP BY talk
    UNION ALL
    SELECT NULL, utterances.part, utterances.row, (utterances.part, utterances.row)
    FROM utterances SEMI JOIN matched USING (part, row) LEFT JOIN speakers USING (speaker)
    WHERE conversation IS NULL AND role IS DISTINCT FROM 'agent'
)
