-- One row: an emotion, with its number of labelled utterances in conversations, and two variances of this number: with
-- conversations as units (`clustered`), and with independent utterances (`independent`).
WITH cells AS (
    SELECT talk, emotion, count(*) AS n
    FROM in_conversations
    WHERE emotion IS NOT NULL AND NOT has_label_sets()
    GROUP BY talk, emotion
    UNION ALL
    SELECT talk, carried.emotion, count(*)
    FROM carried JOIN in_conversations USING (part, row)
    WHERE has_label_sets()
    GROUP BY ALL
), sizes AS (
    SELECT talk, sum(n) AS size FROM cells WHERE NOT has_label_sets() GROUP BY talk
    UNION ALL
    SELECT talk, count(*) FROM in_conversations WHERE emotion IS NOT NULL AND has_label_sets() GROUP BY talk
), whole AS (
    SELECT sum(size)::DOUBLE AS rows, sum(size * size)::DOUBLE AS squares FROM sizes
), sums AS (
    SELECT emotion, sum(n)::DOUBLE AS n, sum(n * n)::DOUBLE AS nn, sum(n * size)::DOUBLE AS ns
    FROM cells JOIN sizes USING (talk)
    GROUP BY emotion
)
SELECT
    emotion,
    n::BIGINT AS rows,
    nn - 2 * n / whole.rows * ns + (n / whole.rows) ** 2 * squares AS clustered,
    n * (1 - n / whole.rows) AS independent
FROM sums, whole
ORDER BY emotion
