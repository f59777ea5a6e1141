"""`make model`: pre-train, fine-tune and distill the default model, which ships with the package.

`make` runs these steps, `recipe.toml` has all settings, and `dialogue/` has labelled lines of this project.
"""

__all__ = [
    "make",
    "recipe",
]
