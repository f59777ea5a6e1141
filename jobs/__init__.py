"""The command line and the Python API: `main` is the program `emojob`; `python_api` offers commands as functions.

A command parses its options, calls one function of another room and prints the result. This room computes nothing.
"""

__all__ = ["main", "python_api"]
