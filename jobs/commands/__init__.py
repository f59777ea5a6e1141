"""The commands of `emojob`: one module for each command.

`scoring` labels texts, `archive` reads or changes a labelled archive, and `models` trains and evaluates models.
"""

__all__ = ["archive", "models", "scoring"]
