"""Makes the HTML pages of `emojob report`, `emojob evaluate` and `emojob train`.

A page is a single file, which contains all styles, scripts and charts.
"""

__all__ = ["page"]
