"""`make model`: pre-train, fine-tune and distill the default model, which ships with the package.

The module `make` runs these steps. The file `recipe.toml` has all settings. The folder `dialogue` has labelled lines
of dialogue that were written for this project.
"""

__all__ = [
    "make",
    "recipe",
]
