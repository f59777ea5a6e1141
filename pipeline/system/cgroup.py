"""The limits of the control group that this process is in: a container's, or a systemd unit's.

Both versions of Linux's control groups are read, and every group above this process's one: the narrowest limit counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def cpu_limit(root: Path = ROOT, own: Path = OWN) -> float | None:
    """How many cores' time may be used; None where nothing limits it."""
    limits = []
    for folder in _folders("cpu", root, own):
        if quota := _numbers(folder / "cpu.max"):  # "max 100000" where there is none
            limits += [quota[0] / quota[1]] if len(quota) == 2 and quota[1] else []
        period, quota = _numbers(folder / "cpu.cfs_period_us"), _numbers(folder / "cpu.cfs_quota_us")
        if period and quota and period[0] > 0 and quota[0] > 0:  # -1: none
            limits.append(quota[0] / period[0])
    return min(limits, default=None)


def memory_limit(root: Path = ROOT, own: Path = OWN) -> int | None:
    """How many bytes of memory may be used; None where nothing limits it."""
    files = ("memory.max", "memory.limit_in_bytes")
    found = (_numbers(folder / file) for folder in _folders("memory", root, own) for file in files)
    return min((limit[0] for limit in found if limit and limit[0] > 0), default=None)


def _folders(controller: str, root: Path, own: Path) -> Iterator[Path]:
    """The folders of this process's group and of those above it.

    A container mostly sees its own group as the top, whatever the path says, so the top is always among them.
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
        within = Path(group.lstrip("/"))
        yield from (top / part for part in (within, *within.parents))


def _numbers(file: Path) -> list[int] | None:
    """The numbers in a file of a control group; None where it is not there, or says that nothing is limited."""
    try:
        return [int(word) for word in file.read_text().split()]
    except (OSError, ValueError):
        return None
