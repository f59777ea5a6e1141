"""Reads the CPU and memory limits of this process's Linux control group, such as a container or a systemd unit.

Versions 1 and 2 of control groups are read, and all parent groups. The smallest limit applies.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def cpu_limit(root: Path = ROOT, own: Path = OWN) -> float | None:
    """Return the limit of CPU time as a number of cores, which may be fractional; None if there is no limit.

    Args:
        root: Mount point of the control groups.
        own: File that names the groups of this process.
    """
    limits = []
    for folder in _folders("cpu", root, own):
        if quota := _numbers(folder / "cpu.max"):  # "max 100000" means no limit
            limits += [quota[0] / quota[1]] if len(quota) == 2 and quota[1] else []
        period, quota = _numbers(folder / "cpu.cfs_period_us"), _numbers(folder / "cpu.cfs_quota_us")
        if period and quota and period[0] > 0 and quota[0] > 0:  # -1: no limit
            limits.append(quota[0] / period[0])
    return min(limits, default=None)


def memory_limit(root: Path = ROOT, own: Path = OWN) -> int | None:
    """Return the number of bytes of memory that this process may use; None if there is no limit.

    Args:
        root: Mount point of the control groups.
        own: File that names the groups of this process.
    """
    files = ("memory.max", "memory.limit_in_bytes")
    found = (_numbers(folder / file) for folder in _folders("memory", root, own) for file in files)
    return min((limit[0] for limit in found if limit and limit[0] > 0), default=None)


def _folders(controller: str, root: Path, own: Path) -> Iterator[Path]:
    """Yield the folders of this process's group and of its parent groups.

    A container usually sees its own group at the top, whatever path `own` names, so the top group is always included.
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
    """Return the numbers in a file of a control group; None if the file is missing or contains words."""
    try:
        return [int(word) for word in file.read_text().split()]
    except (OSError, ValueError):
        return None
