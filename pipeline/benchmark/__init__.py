"""Measures how fast emojob labels texts, and compares this speed with matrix products and with other programs.

`measure` runs the benchmark. `matmul` measures matrix products. `baselines` measures other programs that use the same
model.
"""

__all__ = ["measure"]
