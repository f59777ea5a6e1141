"""The command line. `main` is the program `emojob`.

A command parses its options, makes one call into another room and prints the result. Nothing is computed here.
"""

__all__ = ["main"]
