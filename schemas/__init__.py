"""Defines names, options, records and errors that all packages share. No module here reads or writes datasets.

- `errors`: exceptions and exit codes.
- `options`: options of a run.
- `manifest`: completion marker files of part files.
- `columns`, `labels`, `pii`: names of columns, labels and personal data.
- `sheet`: columns of the annotation sheet.
- `arrow_text`, `messages`, `settings`: functions for Arrow columns, messages and TOML files.
"""

__all__ = ["arrow_text", "columns", "errors", "labels", "manifest", "messages", "options", "pii", "settings", "sheet"]
