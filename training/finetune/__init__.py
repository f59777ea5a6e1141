"""`emojob train`: fine-tunes a base model on annotated texts, and writes a model folder.

The module `run` runs all steps, and `recipe` reads the settings. A resumed run makes the same model as a run without
interruption.
"""

__all__ = [
    "base_model",
    "checkpoints",
    "distributed",
    "finish",
    "folder",
    "learner",
    "optimization",
    "options",
    "recipe",
    "run",
    "trainer",
    "watch",
]
