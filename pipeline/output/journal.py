"""Parts of a labelled archive replaced by others, all of them at once, whatever happens meanwhile.

What is to come is written beside what is to go, under names of its own. Then the journal (_emojob/exchange.json) is
written, which holds the new markers by the names of the old parts: from that moment on every reader takes the ones for
the others. What is left is tidying up, done at once or, after a kill, by whoever holds OUT next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emojob.pipeline.output.parts import PartPaths
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.manifest import OUT_FORMAT, PART_NAME, PartMarker

JOURNAL = "_emojob/exchange.json"


@dataclass(frozen=True)
class Exchange:
    """What a journal says. markers: the new ones, as plain values, by the names of the parts they stand for."""

    markers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def replaced(self) -> set[str]:
        """The names of parts that count no more."""
        return set(self.markers)

    @property
    def replacements(self) -> dict[str, Any]:
        """The new markers by the names of their own parts."""
        return {str(plain.get("part")).removesuffix(".parquet"): plain for plain in self.markers.values()}


def read_journal(content: bytes) -> Exchange:
    """What a journal's bytes say; nothing where there are none."""
    markers = atomic.parse_json(content).get("markers")
    if not isinstance(markers, dict) or not all(isinstance(one, dict) for one in markers.values()):
        return Exchange()
    # a journal of another's hand must not lead out of the folder
    names = [*markers, *(str(one.get("part")).removesuffix(".parquet") for one in markers.values())]
    if not all(map(PART_NAME.fullmatch, names)):
        return Exchange()
    return Exchange(markers)


def write_journal(folder: AnyPath, markers: Mapping[str, PartMarker]) -> None:
    """Make the exchange: from here on these markers count for the parts of those names. Raises OSError."""
    plain = {name: marker.as_json() for name, marker in markers.items()}
    atomic.write_json(folder / JOURNAL, {"format": OUT_FORMAT, "markers": plain})


def successor(place: PartPaths) -> PartPaths:
    """Where the part lies that is to stand for another one; it sorts where that one did."""
    found = PART_NAME.fullmatch(place.name)
    if found is None:
        raise ValueError(place.name)
    return PartPaths(place.folder, f"{found[1]}-{int(found[2] or 0) + 1}")
