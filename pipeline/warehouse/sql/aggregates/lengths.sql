-- One row: an emotion and a text length interval of ten characters (`characters`: its lower bound; the last interval,
-- from 200, is open), with the number of rows.
SELECT
    emotion,
    least(length(text) // 10 * 10, 200)::INTEGER AS characters,
    count(*) AS rows
FROM utterances
WHERE emotion IS NOT NULL AND text IS NOT NULL
GROUP BY ALL
ORDER BY emotion, characters
