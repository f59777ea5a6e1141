"""The labelled archive on disk (OUT): its layout, its parts and their markers, run.json, and reading it back.

A run writes with `archive_folder` and `part_writer`. Everything else reads with `labelled_archive`.
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
