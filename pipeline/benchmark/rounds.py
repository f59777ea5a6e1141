"""Repeats measurements in turns, and shows how much they vary.

Other programs, heat and power limits change the speed of a machine over time. If A, B and C are measured in the order A
B C A B C, such a change affects all three.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emojob.pipeline.system import hardware

#: If (highest - lowest) / median is larger, a warning is shown.
_VARIES = 0.2

#: If other programs use more than this share of the cores, a warning is shown.
_BUSY = 0.25

_LOOK_SECONDS = 1.0  # how long to look at the load of the machine


@dataclass(frozen=True)
class Spread:
    """The speeds that several rounds measured.

    Attributes:
        rounds: Speed in each round, in the order of the rounds.
    """

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Return the median speed."""
        return statistics.median(self.rounds)

    @property
    def low(self) -> float:
        """Return the lowest speed."""
        return min(self.rounds)

    @property
    def high(self) -> float:
        """Return the highest speed."""
        return max(self.rounds)

    @property
    def variation(self) -> float:
        """Return (highest - lowest) / median."""
        return (self.high - self.low) / max(self.median, 1e-9)

    def as_json(self, unit: str) -> dict[str, Any]:
        """Return median, lowest and highest speed, and all rounds. `unit` is the name of the median in the result."""
        return {
            unit: round(self.median, 1),
            "lowest": round(self.low, 1),
            "highest": round(self.high, 1),
            "rounds": [round(one, 1) for one in self.rounds],
        }


def in_turns(measurements: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, Spread]:
    """Run every measurement once in each round. Return {name: speeds}.

    Args:
        measurements: {name: function that measures once and returns the speed}.
        rounds: Number of rounds.
    """
    found: dict[str, list[float]] = {name: [] for name in measurements}
    for _ in range(rounds):
        for name, measure in measurements.items():
            found[name].append(measure())
    return {name: Spread(tuple(speeds)) for name, speeds in found.items()}


def warnings_about(speeds: Mapping[str, Spread]) -> list[str]:
    """Return a warning about all programs whose speed varied much, and about each one that cannot be told apart.

    Args:
        speeds: {name: speeds}. The first one is emojob; the others are compared with it.
    """
    varied = {name: one.variation for name, one in speeds.items() if one.variation > _VARIES}
    found = []
    if varied:
        found.append(
            f"between the rounds, these speeds varied by up to {max(varied.values()):.0%}: {', '.join(varied)}; stop "
            "other programs, then measure again"
        )
    (ours, job), *others = speeds.items()
    found += [
        f"{ours} and {name} cannot be told apart: their speeds overlap"
        for name, one in others
        if one.low <= job.high and job.low <= one.high
    ]
    return found


def busy_warning() -> str | None:
    """Return a warning if other programs use the cores now; None if not, or if this is unknown."""
    before = _processor_times()
    time.sleep(_LOOK_SECONDS)
    after = _processor_times()
    if before is None or after is None or after[0] <= before[0]:
        return None
    machine, ours = os.cpu_count() or 1, hardware.cores()
    busy = machine * (1 - (after[1] - before[1]) / (after[0] - before[0]))
    missing = busy + ours - machine  # cores that other programs leave to this process only in part
    if missing <= _BUSY * ours:
        return None
    return f"other programs use about {busy:.1f} of {machine} cores: stop them, then measure again"


def _processor_times() -> tuple[float, float] | None:
    """Return (time of all cores, idle time of all cores) since the machine started; None if unknown (not on Linux)."""
    with suppress(OSError, ValueError, IndexError):
        times = [float(one) for one in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(times), times[3] + times[4]
    return None
