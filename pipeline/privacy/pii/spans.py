"""Stretches of characters that were found to be personal data, none over another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emojob.schemas.pii import KINDS

Places = NDArray[np.int64]


class Spans:
    """What was found so far, in order. starts, stops: int64 [spans], characters; kinds: int64 [spans], into KINDS."""

    def __init__(self) -> None:
        self.starts, self.stops, self.kinds = (np.empty(0, np.int64) for _ in range(3))

    def add(self, kind: str, starts: Places, stops: Places) -> None:
        """Add those that reach over nothing that is here already; of two that reach over each other the first."""
        free = self.free(starts, stops)
        starts, stops = starts[free], stops[free]
        order = np.lexsort((-stops, starts))
        starts, stops = starts[order], stops[order]
        if (starts[1:] < stops[:-1]).any():
            kept, end = [], -1
            for i, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
                if start >= end:
                    kept.append(i)
                    end = stop
            starts, stops = starts[kept], stops[kept]
        starts = np.concatenate([self.starts, starts])
        stops = np.concatenate([self.stops, stops])
        kinds = np.append(self.kinds, np.full(len(starts) - len(self.kinds), KINDS.index(kind)))
        order = np.argsort(starts, kind="stable")
        self.starts, self.stops, self.kinds = starts[order], stops[order], kinds[order]

    def free(self, starts: Places, stops: Places) -> NDArray[np.bool_]:
        """Which blocks reach over nothing that is here."""
        if not len(self.starts):
            return np.ones(len(starts), np.bool_)
        after = np.searchsorted(self.stops, starts, "right")
        begins = np.append(self.starts, np.iinfo(np.int64).max)[after]
        return begins >= stops
