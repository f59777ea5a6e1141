"""Commands that label texts (`score`, `predict`, `nightly`), and commands that examine the machine.

`doctor` shows the hardware and the engine that a run would use, and `bench` measures the speed.
"""

__all__ = ["bench", "doctor", "nightly", "predict", "score"]
