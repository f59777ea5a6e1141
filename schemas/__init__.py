"""Defines names, options, records and errors that all packages share; reads and writes no datasets.

`errors` has the exceptions and exit codes, `options` the options of a run, and `manifest` the completion markers of
part files. `columns`, `labels`, `pii` and `sheet` have names, and `settings` reads TOML files.
"""

__all__ = ["arrow_text", "columns", "errors", "labels", "manifest", "messages", "options", "pii", "settings", "sheet"]
