"""Lines of progress: how much is done, the running mean of each loss, the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

SECONDS_BETWEEN_LINES = 30.0


class Progress:
    """Counts what is done of `total` units, and calls `report` with a line about every half minute."""

    def __init__(self, total: int, unit: str, report: Callable[[str], None], done: int = 0) -> None:
        self.total = total
        self.done = done
        self._unit = unit
        self._report = report
        self._first = done
        self._begun = self._reported = time.monotonic()
        self._means: dict[str, float] = {}

    def add(self, amount: int, losses: Mapping[str, float]) -> None:
        """Count `amount` more, with the losses seen on the way."""
        self.done += amount
        for name, loss in losses.items():
            self._means[name] = 0.98 * self._means.get(name, loss) + 0.02 * loss
        now = time.monotonic()
        if now - self._reported > SECONDS_BETWEEN_LINES:
            self._reported = now
            self._report(self.line(now - self._begun))

    def line(self, seconds: float) -> str:
        """What is reported, `seconds` after the beginning."""
        speed = max((self.done - self._first) / max(seconds, 1e-9), 1e-9)
        losses = ", ".join(f"{name} {mean:.3f}" for name, mean in self._means.items())
        losses = losses and f"loss: {losses}, "
        left = (self.total - self.done) / speed / 60
        return f"{self.done:,} of {self.total:,} {self._unit}, {losses}{speed:,.1f}/s, {left:.0f} min left"
