"""Reads input files as record batches.

`inputs` finds the files, `dataset` opens the files as one table, and `chunks` yields the rows that have no labels yet.
`formats/` contains a reader for each file format.
"""

__all__ = [
    "binary_text",
    "calibration",
    "chunks",
    "files",
    "columns",
    "context",
    "dataset",
    "dialect",
    "formats",
    "inputs",
    "resume",
    "row_batches",
    "schema",
    "selection",
    "source",
    "turns",
]
