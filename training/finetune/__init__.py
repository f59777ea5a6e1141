"""`emojob train`: fine-tune a base model on annotated texts, and write a model folder.

- `run`: all steps of a training run.
- `trainer`: the training loop.
- `optimization`: the optimizer and the learning-rate schedule.
- `recipe`: the settings.

If a run is interrupted and then resumed, its model is the same as without an interruption.
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
