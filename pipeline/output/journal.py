"""Replaces several parts of a labelled archive in one atomic step, with a journal file.

Readers see either all old parts or all new parts, even if the process is killed. The steps are:

1. Write the new parts into OUT under new names.
2. Write the journal file. The journal file contains the completion marker of the new part for each old part. From now
   on, readers use the new parts.
3. Write the completion markers of the new parts. Then remove the old parts and the journal file.

If the process is killed during step 3, the next process that writes to OUT repeats step 3
(`ArchiveFolder.finish_journal`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emojob.pipeline.output.layout import JOURNAL_FILE
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.manifest import OUT_FORMAT, PART_NAME, PartMarker


@dataclass(frozen=True)
class Journal:
    """Contents of a journal file.

    Attributes:
        markers: {name of an old part: completion marker (JSON object) of the new part}.
    """

    markers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def replaced(self) -> set[str]:
        """Names of the replaced parts."""
        return set(self.markers)

    @property
    def replacements(self) -> dict[str, Any]:
        """Completion markers of the new parts: {name of the new part: JSON object}."""
        return {_stem(plain): plain for plain in self.markers.values()}


def read_journal(content: bytes) -> Journal:
    """Parse the content of a journal file. If the content is invalid, return an empty Journal."""
    markers = atomic.parse_json(content).get("markers")
    if not isinstance(markers, dict) or not all(isinstance(one, dict) for one in markers.values()):
        return Journal()
    # The names are checked, because a manipulated journal file could name a file outside OUT.
    names = [*markers, *map(_stem, markers.values())]
    if not all(map(PART_NAME.fullmatch, names)):
        return Journal()
    return Journal(markers)


def write_journal(folder: AnyPath, markers: Mapping[str, PartMarker]) -> None:
    """Write the journal file. From then on, readers use the new parts instead of the old parts.

    Args:
        folder: OUT.
        markers: {name of an old part: completion marker of the new part}.

    Raises:
        OSError: The file cannot be written.
    """
    plain = {name: marker.as_json() for name, marker in markers.items()}
    atomic.write_json(folder / JOURNAL_FILE, {"format": OUT_FORMAT, "markers": plain})


def _stem(plain: dict[str, Any]) -> str:
    """Return the file name, without `.parquet`, of the part that a completion marker describes."""
    return str(plain.get("part")).removesuffix(".parquet")
