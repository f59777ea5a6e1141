"""The commands, one file each, in three rooms: `scoring` labels texts, `archive` works on a labelled archive, `models`
makes and measures models.
"""

__all__ = ["archive", "models", "scoring"]
