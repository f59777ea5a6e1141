"""The benchmark: the speed of a scoring run, compared with the machine's matrix products and with baselines.

`measure` runs the benchmark, `matmul` measures the matrix products, and `baselines` measures other programs that label
the same texts.
"""

__all__ = ["measure"]
