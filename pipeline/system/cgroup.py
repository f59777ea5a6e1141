"""Reads the CPU and memory limits of this process from Linux control groups (cgroup v1 and v2).

Containers and systemd units set these limits. If parent groups also have limits, the smallest limit applies.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def cpu_limit(root: Path = ROOT, own: Path = OWN) -> float | None:
    """Return how many cores this process may use, for example 1.5; None if there is no limit.

    Args:
        root: Folder where the cgroup file system is mounted.
        own: File with the control groups of this process.
    """
    limits = []
    for folder in _folders("cpu", root, own):
        if quota := _numbers(folder / "cpu.max"):  # `_numbers` returns None for "max 100000", which means no limit
            limits += [quota[0] / quota[1]] if len(quota) == 2 and quota[1] else []
        period, quota = _numbers(folder / "cpu.cfs_period_us"), _numbers(folder / "cpu.cfs_quota_us")
        if period and quota and period[0] > 0 and quota[0] > 0:  # a quota of -1 means no limit
            limits.append(quota[0] / period[0])
    return min(limits, default=None)


def memory_limit(root: Path = ROOT, own: Path = OWN) -> int | None:
    """Return how many bytes of memory this process may use; None if there is no limit.

    Args:
        root: Folder where the cgroup file system is mounted.
        own: File with the control groups of this process.
    """
    files = ("memory.max", "memory.limit_in_bytes")
    found = (_numbers(folder / file) for folder in _folders("memory", root, own) for file in files)
    return min((limit[0] for limit in found if limit and limit[0] > 0), default=None)


def _folders(controller: str, root: Path, own: Path) -> Iterator[Path]:
    """Yield the folders of this process's control group and of all parent groups.

    The top folder is always included. In a container, the top folder usually contains the limits of the container.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        lines = []
    groups = {root: "/"}
    for _, controllers, group in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        if not controllers:
            groups[root] = group
        elif controller in controllers.split(","):
            groups |= {root / controllers: group, root / controller: group}
    for top, group in groups.items():
        relative = Path(group.lstrip("/"))
        yield from (top / part for part in (relative, *relative.parents))


def _numbers(file: Path) -> list[int] | None:
    """Return the integers in a control group file; None if the file is missing or contains a word such as "max"."""
    try:
        return [int(word) for word in file.read_text().split()]
    except (OSError, ValueError):
        return None
