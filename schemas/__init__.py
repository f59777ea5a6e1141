"""Names, options, records and errors that all other packages share. No module here reads or writes datasets.

`errors` defines the errors. `options` defines the options of a run. `manifest` defines the completion markers of part
files. `columns`, `labels`, `pii` and `sheet` define names. `messages`, `settings` and `arrow_text` contain small
functions.
"""

__all__ = ["arrow_text", "columns", "errors", "labels", "manifest", "messages", "options", "pii", "settings", "sheet"]
