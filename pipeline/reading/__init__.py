"""Input files to record batches: which files, which columns, which rows, in which chunks.

`dataset.py` opens several files as one table; `formats/` has a reader for each format.
"""

__all__ = [
    "calibration",
    "chunks",
    "columns",
    "context",
    "dataset",
    "formats",
    "inputs",
    "resume",
    "row_batches",
]
