-- One row: a speaker, with the number of rows, and the role that the name says (`role`: customer, agent or null).
SELECT speaker, role_of(speaker) AS role, rows
FROM (SELECT speaker, count(*) AS rows FROM utterances WHERE has_speakers() AND speaker IS NOT NULL GROUP BY speaker)
