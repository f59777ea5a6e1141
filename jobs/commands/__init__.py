"""The commands of `emojob`: one module for each command.

`scoring` labels texts, `archive` reads or changes a labelled archive, `models` trains and evaluates models, and
`replies` drafts replies.
"""

__all__ = ["archive", "models", "replies", "scoring"]
