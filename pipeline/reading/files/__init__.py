"""Finds out what a file is: its format, its compression, and the files in a ZIP file."""

__all__ = ["content", "input_file", "saved_datasets", "table_folders", "zip_files"]
