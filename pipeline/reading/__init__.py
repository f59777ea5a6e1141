"""Input files to record batches: find the files, choose the columns, read the rows, cut them into chunks.

`inputs` finds files, `dataset` opens them as one table and reads row batches, `chunks` yields the rows that are not
labelled yet. `formats/` has one reader for each file format.
"""

__all__ = ["calibration", "chunks", "columns", "context", "dataset", "formats", "inputs", "resume", "row_batches"]
