"""The common style, scripts and charts of HTML pages. Each page is one self-contained file.

The pages of `emojob report`, `emojob evaluate` and `emojob train` use this package.
"""

__all__ = ["page"]
