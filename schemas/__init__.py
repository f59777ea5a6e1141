"""The words that everyone shares: labels, column names, options, markers, messages and errors.

Nothing here reads or writes a file of a dataset or archive; every folder may import from it.
"""

__all__ = [
    "arrow_text",
    "columns",
    "errors",
    "labels",
    "manifest",
    "messages",
    "options",
    "pii",
    "settings",
    "sheet",
]
