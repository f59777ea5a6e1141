"""Chooses an answer of an answer book: finds the category or the nearest question, then an answer."""

__all__ = ["book", "builtin", "characters", "choice", "nearest", "tones", "vectors"]
