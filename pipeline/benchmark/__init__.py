"""Measures the speed of a scoring run, and compares it with the speed of matrix products and of other programs.

`measure` runs the benchmark. `matmul` measures matrix products. `baselines` measures other programs that label the same
texts.
"""

__all__ = ["measure"]
