"""`make model`: pre-trains, fine-tunes and distills the default model, which ships with the package.

`make` runs these steps with the settings in `recipe.toml`. The folder `dialogue` has labelled lines of dialogue that
were written for this project.
"""

__all__ = [
    "make",
    "recipe",
]
