-- One row: one of the five texts with the lowest confidence for an emotion, with this confidence and the number of rows
-- with this text and emotion (`times`). Each text appears once. If confidences are equal, the first text in the archive
-- comes first. Only texts of 2 to 200 characters with at least two Hangul syllables are used.
SELECT emotion, text, lowest AS confidence, times
FROM (
    FROM extremes
    QUALIFY row_number() OVER (PARTITION BY emotion ORDER BY lowest, unsurest_at) <= 5
) AS worst
JOIN (SELECT part, row, text FROM utterances) AS found ON (found.part, found.row) = worst.unsurest_at
ORDER BY emotion, confidence, unsurest_at
