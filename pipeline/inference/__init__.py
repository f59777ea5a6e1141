"""Texts to probabilities: tokens, batches, engines, memo. Knows no files of an archive."""
