"""Detects the hardware that this process may use: cores, memory, matrix instructions and GPUs."""

from __future__ import annotations

import ctypes
import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from emojob.pipeline.system import cgroup

_M_MMAP_THRESHOLD = -3  # value of M_MMAP_THRESHOLD in glibc's malloc.h
_LARGE_BLOCK = 1 << 20  # bytes
_INSTRUCTIONS = ("amx_int8", "amx_bf16", "avx512_bf16", "avx512_vnni", "avx512f", "avx2")
# {value of DNNL_MAX_CPU_ISA: instruction sets that oneDNN may use}. A value that is not listed in _ALLOWED (below)
# allows all instruction sets.
_AVX512 = {
    "AVX512_CORE": {"avx512f"},
    "AVX512_CORE_VNNI": {"avx512f", "avx512_vnni"},
    "AVX512_CORE_BF16": {"avx512f", "avx512_vnni", "avx512_bf16"},
    "AVX512_CORE_FP16": {"avx512f", "avx512_vnni", "avx512_bf16"},
}
_ALLOWED = {
    "SSE41": set[str](),
    "AVX": set[str](),
    **{name: {"avx2"} for name in ("AVX2", "AVX2_VNNI", "AVX2_VNNI_2")},
    **{name: {"avx2"} | flags for name, flags in _AVX512.items()},
}


@dataclass(frozen=True)
class Machine:
    """The hardware that this process may use.

    Attributes:
        memory: Memory in bytes; 0 if unknown.
        instructions: Instruction sets for matrices and vectors, fastest first.
        native_bf16_gpu: Whether the first GPU supports bf16 in hardware.
    """

    processor: str
    cores: int
    memory: int
    instructions: tuple[str, ...]
    gpus: tuple[str, ...]
    native_bf16_gpu: bool

    @property
    def fast_bf16(self) -> bool:
        """Whether the processor multiplies bf16 matrices faster than fp32 matrices."""
        return "amx_bf16" in self.instructions or "avx512_bf16" in self.instructions

    @property
    def has_amx(self) -> bool:
        """Whether the processor has AMX (matrix instructions)."""
        return "amx_bf16" in self.instructions


def detect(with_gpus: bool = True) -> Machine:
    """Return the hardware that this process may use. The detection of GPUs imports torch, which takes a second."""
    processor, flags = _processor()
    gpus, native = _gpus() if with_gpus else ((), False)
    allowed = _onednn_allows()
    used = tuple(name for name in _INSTRUCTIONS if name in flags and name in allowed)
    return Machine(processor, cores(), memory(), used, gpus, native)


def bf16_is_excluded() -> bool:
    """Return whether the environment variable DNNL_MAX_CPU_ISA forbids bf16 instructions."""
    return "avx512_bf16" not in _onednn_allows()


def cores() -> int:
    """Return how many cores this process may use. CPU affinity and container limits are respected."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = cgroup.cpu_limit()
    return allowed if limit is None else min(allowed, max(1, round(limit)))


def memory() -> int:
    """Return how many bytes of memory this process may use; 0 if unknown."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0
    limit = cgroup.memory_limit()
    return total if limit is None else min(total, limit)


def return_freed_memory() -> None:
    """Make glibc return freed memory blocks of 1 MiB or more to the system.

    By default, glibc keeps freed memory, and a run of a few million rows needs 100 MB more. This function changes
    malloc for the whole process. Do not call this function in a program that uses emojob as a library.
    """
    with suppress(OSError, AttributeError):  # without glibc, do nothing
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)


def is_installed(package: str) -> bool:
    """Return whether an optional package is installed, without importing the package."""
    return find_spec(package) is not None


def _onednn_allows() -> set[str]:
    """Return the instruction sets that oneDNN may use. torch and OpenVINO use oneDNN."""
    limit = os.environ.get("DNNL_MAX_CPU_ISA") or os.environ.get("ONEDNN_MAX_CPU_ISA", "")
    return _ALLOWED.get(limit.upper(), set(_INSTRUCTIONS))


def _processor() -> tuple[str, set[str]]:
    """Return the name and the feature flags of the processor."""
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


def _gpus() -> tuple[tuple[str, ...], bool]:
    """Return the names of the GPUs, and whether the first GPU supports bf16 in hardware."""
    import torch

    if not torch.cuda.is_available():
        return (), False
    names = tuple(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    return names, torch.cuda.get_device_capability(0) >= (8, 0)
