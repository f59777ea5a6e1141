"""What a machine can do at best: matrix products and nothing else, measured on the spot."""

from __future__ import annotations

import time

import torch

from emojob.pipeline.inference.engine import DTYPES
from emojob.pipeline.models.bert import BertShape

# Rows, inner size, columns. A GPU is at its best with large products, a CPU mostly with those that its caches hold.
_PRODUCTS = {"cuda": [(8192, 8192, 8192)], "cpu": [(2048, 768, 3072), (1024, 1024, 1024), (2048, 2048, 2048)]}
_SECONDS = 0.4  # for each


def flops_per_token(shape: BertShape) -> int:
    """Floating-point operations of the matrix products with weights that a token takes, in all layers.

    Those within attention, a few percent for short texts, are left out.
    """
    each = 4 * shape.hidden_size**2 + 2 * shape.hidden_size * shape.intermediate_size
    return 2 * shape.layers * each


def matrix_rate(device: str, precision: str, threads: int) -> float:
    """Floating-point operations a second of matrix products in fp32, bf16 or fp16, of the shape that is fastest."""
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
    """Of a few products: one alone is too short to time on a GPU."""
    times = 4
    begun = time.perf_counter()
    for _ in range(times):
        left @ right
    if left.is_cuda:
        torch.cuda.synchronize()
    return (time.perf_counter() - begun) / times
