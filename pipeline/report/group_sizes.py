"""Returns the size of a group of utterances, from the rows that count its labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def group_size(rows: Iterable[Mapping[str, Any]]) -> int:
    """Return the number of labelled utterances of a group.

    Args:
        rows: The counts of the labels in the group (`rows`). If an utterance can carry several labels, each row must
            have the size of the group (`labelled`).
    """
    rows = list(rows)
    sizes = [row["labelled"] for row in rows if "labelled" in row] or [sum(row["rows"] for row in rows)]
    return int(round(sizes[0]))  # noqa: RUF046 - the rows may hold any number
