"""Defines names, options, records and errors that all packages share. No module here reads or writes datasets.

- `errors`: exceptions and exit codes
- `options`: options of a run
- `manifest`: completion markers of part files
- `columns`, `labels`, `pii`, `sheet`: names of columns, labels, types of personal data, columns of annotation sheets
- `column_names`: names of columns in messages
- `roles`, `blank`, `placeholders`: usual names of customers and agents, which texts are blank or no utterances
- `settings`: reading of TOML files
"""

__all__ = [
    "arrow_text",
    "blank",
    "column_names",
    "columns",
    "errors",
    "labels",
    "manifest",
    "messages",
    "options",
    "pii",
    "placeholders",
    "roles",
    "settings",
    "sheet",
]
