"""Commands that read or change a labelled archive, the output of `emojob score`.

`report`, `sql` and `sample` read the archive, and `forget` removes rows.
"""

__all__ = ["forget", "report", "sample", "sql"]
