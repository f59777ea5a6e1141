"""Stores the spans of personal data in the texts. Spans do not overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emojob.schemas.pii import KINDS

Positions = NDArray[np.int64]


class Spans:
    """The spans found so far, in the order of the texts.

    Attributes:
        starts: Position of the first character of each span. int64 [spans].
        stops: Position after the last character of each span. int64 [spans].
        kinds: Kind of each span, as an index into KINDS. int64 [spans].
    """

    def __init__(self) -> None:
        self.starts, self.stops, self.kinds = (np.empty(0, np.int64) for _ in range(3))

    def add(self, kind: str, starts: Positions, stops: Positions) -> None:
        """Add the spans that do not overlap an existing span. If two new spans overlap, add only the first.

        Args:
            kind: Kind of personal data, from KINDS.
            starts: Position of the first character of each span. int64 [spans].
            stops: Position after the last character of each span. int64 [spans].
        """
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

    def free(self, starts: Positions, stops: Positions) -> NDArray[np.bool_]:
        """Return True for each given span that overlaps no existing span. bool [spans]."""
        if not len(self.starts):
            return np.ones(len(starts), np.bool_)
        after = np.searchsorted(self.stops, starts, "right")
        begins = np.append(self.starts, np.iinfo(np.int64).max)[after]
        return begins >= stops
