"""What ships with the package: the sample dataset and the default model.

Both are data files; `sample.py` finds and reads the sample.
"""

__all__ = [
    "sample",
]
