"""How the shipped model is made (`make model`): pre-training, multi-task training, distillation.

`make.py` runs the steps; `recipe.toml` has every number.
"""

__all__ = [
    "make",
    "recipe",
]
