"""Benchmark: the speed of the whole job, compared with the machine's matrix products and with other ways to label.

`measure` runs the benchmark, `baselines` has the other ways, and `matmul` the matrix products.
"""

__all__ = ["measure"]
