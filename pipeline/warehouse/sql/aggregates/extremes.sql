-- One row: an emotion and a text, with the number of rows that have both (`times`), their highest and lowest confidence,
-- and the first row with each (`surest_at`, `unsurest_at`). Only texts of 2 to 200 characters with at least two Hangul
-- syllables are used. Texts that differ only in white space and Unicode normalization are one text (`text_hash`).
SELECT
    emotion,
    hash(folded_text(text)) AS text_hash,
    count(*) AS times,
    max(confidence) AS highest,
    min(confidence) AS lowest,
    min_by((part, row), (-confidence, part, row)) AS surest_at,
    min_by((part, row), (confidence, part, row)) AS unsurest_at
FROM utterances
WHERE emotion IS NOT NULL AND length(text) BETWEEN 2 AND 200 AND regexp_matches(text, '[가-힣].*[가-힣]')
GROUP BY emotion, text_hash
