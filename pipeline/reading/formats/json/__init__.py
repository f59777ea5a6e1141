"""Readers of JSON: `lines` reads one object on each line, `document` reads arrays and objects of any size.

`pandas_forms` recognizes tables that pandas wrote as one object.
"""

__all__ = ["document", "lines", "pandas_forms", "types"]
