"""Reads and writes a labelled archive (OUT), which `emojob score` creates.

An archive consists of Parquet part files, a completion marker (a JSON file) for each part file, and run.json with
settings and counts. `archive_folder` and `part_writer` write the archive, `labelled_archive` reads it, and `derived`
keeps track of the files that were made from the rows.
"""

__all__ = [
    "archive_folder",
    "compatibility",
    "coverage",
    "derived",
    "dictionaries",
    "identity",
    "journal",
    "label_columns",
    "labelled_archive",
    "layout",
    "part_writer",
    "parts",
    "rejects",
    "run_json",
    "snapshot",
]
