"""Reads and writes a labelled archive (OUT), which `emojob score` creates.

An archive consists of part files (Parquet files with the labelled rows), a completion marker (a JSON file) for each
part file, and run.json (settings and counts). A run writes the archive with `archive_folder` and `part_writer`. Other
packages read the archive with `labelled_archive`.
"""

__all__ = [
    "archive_folder",
    "compatibility",
    "journal",
    "label_columns",
    "labelled_archive",
    "layout",
    "part_writer",
    "parts",
    "run_json",
]
