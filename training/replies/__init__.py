"""`emojob train-replies`: learns from pairs of a question and an answer, and writes the folder of a bot.

`run` trains a bot. `gpt2/` fine-tunes the GPT-2 model of a bot.
"""

__all__ = ["gpt2", "pair_columns", "pairs", "run"]
