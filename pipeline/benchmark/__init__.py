"""Measures the speed of a scoring run, and compares it with matrix products and with baselines (other programs).

`measure` runs the benchmark. `matmul` measures the matrix products, and `baselines` measures other programs that label
the same texts.
"""

__all__ = ["measure"]
