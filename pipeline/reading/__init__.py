"""Input files to record batches: which files, which columns, which rows, in which chunks."""
