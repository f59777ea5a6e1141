"""The commands, one file for each command, in three rooms.

`scoring` labels texts, `archive` works on a labelled archive, `models` makes and measures models.
"""

__all__ = ["archive", "models", "scoring"]
