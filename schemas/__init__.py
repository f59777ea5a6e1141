"""Names, options, records and errors that everyone shares. Nothing here reads or writes datasets.

`errors` draws the tree of errors, `options` holds the options of a run, `manifest` the counts and markers in OUT,
`columns`, `labels`, `pii` and `sheet` the names, `messages`, `settings` and `arrow_text` small functions that all use.
"""

__all__ = ["arrow_text", "columns", "errors", "labels", "manifest", "messages", "options", "pii", "settings", "sheet"]
