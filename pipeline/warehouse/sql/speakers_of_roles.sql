-- One row: a speaker with a known role. Only the $most speakers of each role with the most rows.
SELECT speaker, role
FROM speakers
WHERE role IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY role ORDER BY rows DESC, speaker) <= $most
ORDER BY role, rows DESC, speaker
