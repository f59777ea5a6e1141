-- One row: a speaker whose name is the name of an agent. The $most speakers with the most utterances.
SELECT speaker FROM speakers WHERE role = 'agent' ORDER BY rows DESC, speaker LIMIT $most
