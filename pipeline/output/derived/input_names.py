"""Changes the names of inputs in everything that an archive folder records about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from emojob.pipeline.output.layout import NIGHTLY_STATE_FILE, RUN_FILE, marker_paths
from emojob.pipeline.output.rejects import rename_inputs
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.manifest import PartMarker


def change_names(out: AnyPath, markers: Sequence[PartMarker], names: Mapping[str, str]) -> list[PartMarker]:
    """Change names of inputs in run.json, nightly.json, the completion markers and the rejected rows of the parts.

    The folder must be locked. If the process is killed, the next call changes the remaining names: the completion
    markers come last. The caller must then write OUT/_emojob/rejects.parquet again.

    Args:
        out: OUT.
        markers: Completion markers of all parts.
        names: {name of an input: new name}.

    Returns:
        The completion markers, with the new names.

    Raises:
        OSError: A file cannot be written.
        DataError: A file of rejected rows is damaged.
    """
    for file in (out / RUN_FILE, out / NIGHTLY_STATE_FILE):
        plain = atomic.read_json(file)
        if (renamed := with_names(plain, names)) != plain:
            atomic.write_json(file, renamed)
    found = []
    for marker, renamed_marker in zip(markers, renamed_markers(markers, names), strict=True):
        if renamed_marker is not marker:
            paths = marker_paths(out, marker)
            rename_inputs(paths.rejects, names)
            atomic.write_json(paths.marker, renamed_marker.as_json())
        found.append(renamed_marker)
    return found


def renamed_markers(markers: Iterable[PartMarker], names: Mapping[str, str]) -> list[PartMarker]:
    """Return the completion markers with the new names. Nothing is written."""
    return [replace(one, input=names[one.input]) if one.input in names else one for one in markers]


def with_names(value: Any, names: Mapping[str, str]) -> Any:
    """Return a JSON value in which each text and each key that is the name of an input is replaced.

    Args:
        value: The JSON value.
        names: {name of an input: new name}.
    """
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, dict):
        return {with_names(key, names): with_names(one, names) for key, one in value.items()}
    return [with_names(one, names) for one in value] if isinstance(value, list) else value
