"""`emojob train-replies`: learns from pairs of a question and an answer, and writes the folder of a bot."""

__all__ = ["gpt2_run", "gpt2_trainer"]
