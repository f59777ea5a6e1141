"""What the machine offers: cores, memory, the processor's matrix instructions, GPUs."""

from __future__ import annotations

import ctypes
import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from emojob.pipeline.system import cgroup

_M_MMAP_THRESHOLD = -3  # glibc's name for it, from malloc.h
_LARGE_BLOCK = 1 << 20  # bytes


@dataclass(frozen=True)
class Machine:
    """The machine as a run sees it, limits of its container included."""

    processor: str
    cores: int
    memory: int  # bytes
    instructions: tuple[str, ...]  # those that matter here, fastest first
    gpus: tuple[str, ...]
    native_bf16_gpu: bool

    @property
    def fast_bf16(self) -> bool:
        """Whether the processor multiplies bf16 matrices faster than fp32 ones."""
        return "amx_bf16" in self.instructions or "avx512_bf16" in self.instructions

    @property
    def has_amx(self) -> bool:
        """Whether the processor has matrix units of its own."""
        return "amx_bf16" in self.instructions


def detect(with_gpus: bool = True) -> Machine:
    """Look at this machine. GPUs are looked for through torch, which takes a second to import."""
    processor, flags = _processor()
    known = ("amx_int8", "amx_bf16", "avx512_bf16", "avx512_vnni", "avx512f", "avx2")
    gpus, native = _gpus() if with_gpus else ((), False)
    return Machine(processor, cores(), memory(), tuple(f for f in known if f in flags), gpus, native)


def cores() -> int:
    """Cores that this process may use: its affinity, and its container's quota where there is one."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = cgroup.cpu_limit()
    return allowed if limit is None else min(allowed, max(1, round(limit)))


def return_freed_memory() -> None:
    """Let glibc give large blocks back to the system as they are freed, rather than keep them in pieces.

    It begins so, but takes ever larger blocks from its heaps as such are freed; with stages in several threads a run
    of some million rows then comes to hold 100 MB more than it needs. For a process of emojob's own.
    """
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)


def is_installed(package: str) -> bool:
    """Whether an optional package is there, without importing it."""
    return find_spec(package) is not None


def _processor() -> tuple[str, set[str]]:
    name, flags = platform.processor() or platform.machine(), set[str]()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                name = value.strip()
            elif key.strip() == "flags":
                flags = set(value.split())
                break
    except OSError:
        pass
    return name, flags


def memory() -> int:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0
    limit = cgroup.memory_limit()
    return total if limit is None else min(total, limit)


def _gpus() -> tuple[tuple[str, ...], bool]:
    import torch

    if not torch.cuda.is_available():
        return (), False
    names = tuple(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    return names, torch.cuda.get_device_capability(0) >= (8, 0)
