-- The distinct texts of the archive, Hangul composed and white space folded, a row for each: how often it stands
-- there, and the entry of its least certain row. Hashes stand for texts, so that memory does not grow with their
-- length. `letters`: what texts share that differ in figures, marks and spaces only; null where a text has too little
-- or too much to teach anything. It is no WHERE, which would have the expressions computed twice.
CREATE TEMP TABLE texts AS
WITH folded AS (
    SELECT
        CASE WHEN regexp_matches(text, '^ | $|  |[^\P{Z} ]|\p{Cc}')
            THEN trim(regexp_replace(text, '[\p{Z}\p{Cc}]+', ' ', 'g'))
            ELSE text
        END AS text,
        entry
    FROM labelled_rows
), composed AS (
    SELECT
        CASE WHEN regexp_matches(text, '[\x{1100}-\x{11FF}\p{M}]') THEN nfc_normalize(text) ELSE text END AS text,
        entry
    FROM folded
), spelt AS (
    SELECT hash(text) AS text_hash, length(text) AS characters, regexp_replace(text, '[^\p{L}]+', '', 'g') AS letters, entry
    FROM composed
)
SELECT
    any_value(
        CASE WHEN characters <= $most_characters
            AND regexp_matches(letters, '[^ㄱ-ㆎ].*[^ㄱ-ㆎ]')  -- two letters, and not ㅋㅋ or ㅠㅠ, which are single jamo
            THEN hash(letters)
        END
    ) AS letters,
    count(*) AS times,
    min(entry) AS entry
FROM spelt
GROUP BY text_hash
