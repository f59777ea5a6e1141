"""Measures the speed of matrix products. No engine with the same precision can be faster than this speed."""

from __future__ import annotations

import time

import torch

from emojob.pipeline.inference.engines.engine import DTYPES
from emojob.pipeline.models.bert import BertShape

# Sizes of matrix products: (rows, inner size, columns). A GPU is fastest with large products. A CPU is often fastest
# with products that fit into the CPU cache.
_PRODUCTS = {"cuda": [(8192, 8192, 8192)], "cpu": [(2048, 768, 3072), (1024, 1024, 1024), (2048, 2048, 2048)]}
_SECONDS = 0.4  # measuring time for each entry of _PRODUCTS, in seconds


def flops_per_token(shape: BertShape) -> int:
    """Return the number of floating-point operations per token, counting only products with weight matrices.

    Attention also multiplies matrices. For short texts, this is only a few percent of all operations.
    """
    layer = 4 * shape.hidden_size**2 + 2 * shape.hidden_size * shape.intermediate_size
    return 2 * shape.layers * layer


def matrix_rate(device: str, precision: str, threads: int) -> float:
    """Return the speed of the fastest matrix product in _PRODUCTS, in FLOP/s.

    Args:
        device: cpu or cuda.
        precision: fp32, bf16 or fp16.
        threads: Number of threads for torch.
    """
    torch.set_num_threads(threads)
    return max(_rate(torch.device(device), DTYPES[precision], *sizes) for sizes in _PRODUCTS[device])


def _rate(device: torch.device, dtype: torch.dtype, rows: int, inner: int, columns: int) -> float:
    left = torch.randn(rows, inner, device=device).to(dtype)
    right = torch.randn(inner, columns, device=device).to(dtype)
    fastest, begun = float("inf"), time.perf_counter()
    with torch.inference_mode():
        while time.perf_counter() - begun < _SECONDS:
            fastest = min(fastest, _seconds(left, right))
    return 2 * rows * inner * columns / fastest


def _seconds(left: torch.Tensor, right: torch.Tensor) -> float:
    """Return the seconds for one matrix product. On a GPU, this is the mean of four products."""
    times = 4 if left.is_cuda else 1
    begun = time.perf_counter()
    for _ in range(times):
        left @ right
    if left.is_cuda:
        torch.cuda.synchronize()
    return (time.perf_counter() - begun) / times
