"""HTML pages that are one self-contained file: the common style, scripts and charts.

The report page and the evaluation pages use it.
"""

__all__ = ["page"]
