"""Commands that label texts (score, predict, nightly) and commands that examine the machine (bench, doctor)."""

__all__ = ["bench", "doctor", "nightly", "predict", "score"]
