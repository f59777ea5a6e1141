-- One row: a row of mining_texts.sql, in the order of the questions in the archive.
SELECT question, answer, emotion, speakers FROM mining_texts ORDER BY question_part, question_row
