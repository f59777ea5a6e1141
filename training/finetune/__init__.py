"""`emojob train`: fine-tune a base model on annotated texts, and write a model folder.

`run` does all steps of a run, `trainer` has the training loop, `optimization` the optimizer and the learning-rate
schedule, and `recipe` the settings. A run that was interrupted and resumed gives the same model as a run without
interruption.
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
