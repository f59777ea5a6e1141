"""Finds the rows that `emojob forget` removes, shows two of them, checks them with a second reader, and removes
the derived files.
"""

__all__ = ["derived", "examples", "matching", "second_reader"]
