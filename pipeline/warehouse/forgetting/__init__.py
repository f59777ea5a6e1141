"""Finds the rows that `emojob forget` removes, shows two of them, and checks them with a second reader."""

__all__ = ["examples", "matching", "second_reader"]
