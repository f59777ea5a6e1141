"""Fine-tuning, what `emojob train` does: from annotated texts and a base model to a model folder.

`run` is the whole run, `trainer` the training loop, `recipe` the settings. An interrupted run resumes exactly.
"""

__all__ = [
    "base_model",
    "checkpoints",
    "distributed",
    "options",
    "recipe",
    "run",
    "watch",
]
