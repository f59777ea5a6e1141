"""Measures how fast emojob labels texts.

`measure` runs the benchmark. It compares emojob with matrix products (`matmul`) and with other programs that use the
same model (`baselines`), in turns and in several rounds (`rounds`).
"""

__all__ = ["measure"]
