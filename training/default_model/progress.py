"""Progress lines for long steps: finished units, mean losses and remaining time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

SECONDS_BETWEEN_LINES = 30.0


class Progress:
    """Reports the progress of a long step about every 30 seconds.

    Args:
        total: Total number of units, including units of earlier runs.
        unit: Name of the units, for example "steps" or "texts".
        report: callback(line), called with a line of text.
        done: Number of units that earlier runs finished.
    """

    def __init__(self, total: int, unit: str, report: Callable[[str], None], done: int = 0) -> None:
        self.total = total
        self.done = done
        self._unit = unit
        self._report = report
        self._done_before = done
        self._started_at = self._reported_at = time.monotonic()
        self._means: dict[str, float] = {}

    def add(self, amount: int, losses: Mapping[str, float]) -> None:
        """Add `amount` to the number of finished units. `losses` is {name: mean loss of the added units}."""
        self.done += amount
        for name, loss in losses.items():
            self._means[name] = 0.98 * self._means.get(name, loss) + 0.02 * loss
        now = time.monotonic()
        if now - self._reported_at > SECONDS_BETWEEN_LINES:
            self._reported_at = now
            self._report(self.line(now - self._started_at))

    def line(self, seconds: float) -> str:
        """Return the progress as a line of text. `seconds` is the run time so far."""
        speed = max((self.done - self._done_before) / max(seconds, 1e-9), 1e-9)
        losses = ", ".join(f"{name} {mean:.3f}" for name, mean in self._means.items())
        losses = losses and f"loss: {losses}, "
        minutes_left = (self.total - self.done) / speed / 60
        return f"{self.done:,} of {self.total:,} {self._unit}, {losses}{speed:,.1f}/s, {minutes_left:.0f} min left"
