"""The command line and the Python API: `main` is the program `emojob`, `python_api` has the same work as functions.

A command parses its options, makes one call into another room and prints the result. Nothing is computed here.
"""

__all__ = ["main", "python_api"]
