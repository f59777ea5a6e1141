"""Decides which parts of an archive count, if parts contain the same rows.

Normally, the parts of an input do not overlap. On a cluster, a worker that is considered dead can still write parts,
while its successor writes the same rows. Everything that reads parts uses the function `counted`: the planning of a
run, readers, the single file, the cluster and `emojob forget`. A part that does not count is ignored and removed later.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from emojob.schemas.manifest import PART_NAME, PartMarker


def counted(markers: Iterable[PartMarker]) -> tuple[list[PartMarker], list[PartMarker]]:
    """Divide parts into the parts that count and the other parts.

    For each input, the parts that count contain no row twice, and as many rows as possible. If several choices contain
    as many rows, parts of later attempts are preferred. So parts of a complete later attempt always count. If parts
    were written from different versions of an input or with different models, only the latest attempt counts.

    The result does not depend on the order of `markers`. This is weighted interval scheduling (Kleinberg and Tardos,
    Algorithm Design, 2005, section 6.1).

    Returns:
        (completion markers of the parts that count, all other completion markers). Both are sorted by part name.
    """
    by_input: dict[str, list[PartMarker]] = {}
    for marker in markers:
        by_input.setdefault(marker.input, []).append(marker)
    chosen: dict[str, PartMarker] = {}
    other: list[PartMarker] = []
    for some in by_input.values():
        best = {marker.part: marker for marker in _best(_of_latest_version(some))}
        chosen |= best
        other += [marker for marker in some if marker.part not in best]
    return [chosen[name] for name in sorted(chosen)], sorted(other, key=lambda marker: marker.part)


def complete_inputs(markers: Iterable[PartMarker]) -> set[str]:
    """Return the inputs of which the parts that count contain all rows.

    Args:
        markers: Completion markers of the parts that count.
    """
    next_row: dict[str, int] = {}
    complete = set()
    for marker in sorted(markers, key=lambda one: (one.first_row, one.stop_row)):
        if next_row.get(marker.input, 0) == marker.first_row:
            next_row[marker.input] = marker.stop_row
            complete |= {marker.input} if marker.last else set()
    return complete


def _of_latest_version(markers: Sequence[PartMarker]) -> list[PartMarker]:
    """Return the parts that were written from the same input and with the same model as a part of the last attempt."""
    valid = [marker for marker in markers if 0 <= marker.first_row <= marker.stop_row]
    last = max((marker.attempt for marker in valid), default=0)
    versions = {_version(marker) for marker in valid if marker.attempt == last}
    return [marker for marker in valid if _version(marker) in versions]


def _version(marker: PartMarker) -> tuple[object, ...]:
    return marker.input_bytes, marker.input_sha256, marker.encoding, marker.dialect, marker.fingerprint


def _best(markers: Sequence[PartMarker]) -> list[PartMarker]:
    """Return the parts of an input that contain the most rows without an overlap."""
    unique: dict[tuple[int, int], PartMarker] = {}
    for marker in sorted(markers, key=_priority):
        unique[marker.stop_row, marker.first_row] = marker
    ordered = [unique[rows] for rows in sorted(unique)]
    stops = [marker.stop_row for marker in ordered]
    # best[i]: (rows, rows weighted by attempt, parts) of the best choice from the first i parts
    best = [(0, 0, 0)]
    before = []  # before[i]: number of parts that end before part i begins
    for i, marker in enumerate(ordered):
        before.append(min(bisect_right(stops, marker.first_row), i))
        best.append(max(best[i], _with(best[before[i]], marker)))
    chosen, i = [], len(ordered)
    while i:
        if best[i] == best[i - 1]:
            i -= 1
        else:
            chosen.append(ordered[i - 1])
            i = before[i - 1]
    return chosen


def _with(choice: tuple[int, int, int], marker: PartMarker) -> tuple[int, int, int]:
    rows = marker.stop_row - marker.first_row
    return choice[0] + rows, choice[1] + rows * marker.attempt, choice[2] + 1


def _priority(marker: PartMarker) -> tuple[int, int, str]:
    """Return the sort key of parts with the same rows. The last part in this order counts."""
    found = PART_NAME.fullmatch(marker.part.removesuffix(".parquet"))
    return marker.attempt, int(found[2] or 0) if found else 0, marker.part
