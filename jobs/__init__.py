"""The command line and the Python API.

`main` defines the program `emojob`. `python_api` defines `emojob.score`, `emojob.train` and `emojob.evaluate`.
"""

__all__ = ["main", "python_api"]
