"""The command line and the Python API.

`main` defines the program `emojob`. `python_api` offers some commands as Python functions. A command parses its
options, calls functions of other packages and prints the result.
"""

__all__ = ["main", "python_api"]
