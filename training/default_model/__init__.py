"""The default model that ships with the package, made by `make model`: pre-training, multi-task training, distillation.

`make` runs the steps, `recipe.toml` has every setting, and `dialogue/` has the project's own labelled lines.
"""

__all__ = [
    "make",
    "recipe",
]
