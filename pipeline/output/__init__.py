"""Reads and writes a labelled archive (OUT): part files, completion markers and run.json.

A run writes the archive with `archive_folder` and `part_writer`. All other packages read it with `labelled_archive`.
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
