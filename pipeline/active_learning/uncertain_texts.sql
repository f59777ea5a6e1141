-- One row: a distinct text of the archive (in NFC, with single spaces), the number of rows with this text, and the entry of
-- the row with the lowest margin. Texts are stored as hashes, so memory does not grow with their length. `letters` is equal
-- for texts that differ only in digits, punctuation and spaces. It is null for a text that is too short or too long; a WHERE
-- instead of the null would compute the expressions twice.
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
            AND regexp_matches(letters, '[^ㄱ-ㆎ].*[^ㄱ-ㆎ]')  -- at least two letters; single jamo such as ㅋㅋ and ㅠㅠ do not count
            THEN hash(letters)
        END
    ) AS letters,
    count(*) AS times,
    min(entry) AS entry
FROM spelt
GROUP BY text_hash
