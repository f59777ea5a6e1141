"""`emojob train`: fine-tunes a base model on annotated texts, and writes a model folder.

`run` does all steps; `trainer` has the training loop, `optimization` the optimizer and the learning-rate schedule, and
`recipe` the settings. If a run is interrupted and then resumed, its model is the same as without an interruption.
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
