"""`make model`: makes the default model that ships with the package.

The settings are in `recipe.toml`. The folder `dialogue` contains labelled dialogue lines that were written for this
project.
"""

__all__ = [
    "make",
    "recipe",
]
