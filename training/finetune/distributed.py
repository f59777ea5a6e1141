"""Distributed training: several processes, started by `torchrun`, train one model."""

from __future__ import annotations

import os

import torch


def is_first() -> bool:
    """Return whether this is the first process. Only the first process writes files."""
    return os.environ.get("RANK", "0") == "0"


def process_count() -> int:
    """Return the number of training processes."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def sum_over_processes(numbers: list[float]) -> list[float]:
    """Return the element-wise sum of `numbers` over all processes."""
    if not torch.distributed.is_initialized():
        return numbers
    device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    sums = torch.tensor(numbers, dtype=torch.float64, device=device)
    torch.distributed.all_reduce(sums)
    return list(sums.tolist())


def wait_for_all() -> None:
    """Wait until all processes have called this function."""
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
