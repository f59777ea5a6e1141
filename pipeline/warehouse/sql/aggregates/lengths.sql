-- One row: an emotion and a length of text in steps of ten characters (from `characters` on; the last step, from 200 on,
-- has no end), with the rows labelled so.
SELECT
    emotion,
    least(length(text) // 10 * 10, 200)::INTEGER AS characters,
    count(*) AS rows
FROM utterances
WHERE emotion IS NOT NULL AND text IS NOT NULL
GROUP BY ALL
ORDER BY emotion, characters
