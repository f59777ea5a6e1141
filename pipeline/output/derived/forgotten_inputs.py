"""Hides the names of inputs whose rows were all removed by `emojob forget`.

The name of an input may name a person: `logs/customer=홍길동/a.csv`. So when no row of an input is left, a hash
replaces the name in the completion markers, the rejected rows, run.json and nightly.json. The hash depends on the
random ID of the archive. A later run that reads the same input computes the hash again, so it still knows that the rows
are forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from emojob.pipeline.output.derived.input_names import change_names, with_names
from emojob.pipeline.output.identity import Identity, ensure_identity, hidden_name, is_hidden, read_identity
from emojob.pipeline.output.layout import NIGHTLY_STATE_FILE, RUN_FILE, rejects_beside
from emojob.pipeline.output.rejects import inputs_of, is_rejects_file, rename_inputs
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.manifest import PartMarker


def hide_forgotten_inputs(out: AnyPath, markers: Sequence[PartMarker]) -> list[PartMarker]:
    """Hide the names of the inputs of an archive folder of which all written rows were removed.

    The folder must be locked. If the process is killed, the next call hides the remaining names. The caller must then
    write OUT/_emojob/rejects.parquet again.

    Args:
        out: OUT.
        markers: Completion markers of all parts.

    Returns:
        The completion markers, with the hidden names.

    Raises:
        OSError: A file cannot be written.
        DataError: A file of rejected rows is damaged.
    """
    names = _without_rows(markers)
    earlier = {marker.input for marker in markers if is_hidden(marker.input)}
    if not names and not earlier:
        return list(markers)
    identity = ensure_identity(out)
    hidden = {name: hidden_name(identity, name) for name in names}
    state = [atomic.read_json(file) for file in (out / RUN_FILE, out / NIGHTLY_STATE_FILE)]
    for name in _names_in(state):  # a later run that reads the input writes its name again
        if (again := hidden_name(identity, name)) in earlier:
            hidden[name] = again
    return change_names(out, markers, hidden)


def without_names(run: dict[str, Any], before: Any, identity: Identity) -> dict[str, Any]:
    """Return the run of a single labelled file with hidden names of the inputs of which all rows were removed.

    Args:
        run: Contents of run.json, with the number of remaining rows of each input.
        before: The inputs before the rows were removed. If the numbers of rows are unknown, no name is hidden.
        identity: Identity of the archive.
    """
    after: Any = run.get("inputs")
    if not (_has_rows(before) and _has_rows(after)):
        return run
    names = [one["name"] for one, left in zip(before, after, strict=True) if one["rows"] and not left["rows"]]
    hidden = {name: hidden_name(identity, name) for name in names if not is_hidden(name)}
    return cast(dict[str, Any], with_names(run, hidden))


def hide_in_rejects(file: AnyPath, run: Mapping[str, Any]) -> None:
    """Hide names of inputs in the rejected rows of a single labelled file if the names are hidden in the file.

    Args:
        file: The labelled file.
        run: Contents of run.json in the file.

    Raises:
        OSError: A file cannot be read or written.
        DataError: The file of rejected rows is damaged.
    """
    rejects, identity, inputs = rejects_beside(file), read_identity(file), run.get("inputs")
    if identity is None or not isinstance(inputs, list):
        return
    names = [one.get("name") for one in inputs if isinstance(one, dict)]
    hidden = {name for name in names if isinstance(name, str) and is_hidden(name)}
    if not hidden:
        return
    if not is_rejects_file(rejects):
        return
    found = {name: hidden_name(identity, name) for name in inputs_of(rejects)}
    rename_inputs(rejects, {name: new for name, new in found.items() if new in hidden})


def _names_in(states: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the names of inputs in run.json and nightly.json: all texts, and all keys of objects."""
    found: set[str] = set()
    values: list[Any] = list(states)
    while values:
        value = values.pop()
        if isinstance(value, str):
            found.add(value)
        elif isinstance(value, dict):
            values += [*value, *value.values()]
        elif isinstance(value, list):
            values += value
    return found


def _has_rows(inputs: object) -> bool:
    """Return whether the inputs of a run contain the number of rows. Earlier versions of emojob did not write it."""
    return isinstance(inputs, list) and all(
        isinstance(one, dict) and isinstance(one.get("name"), str) and type(one.get("rows")) is int for one in inputs
    )


def _without_rows(markers: Iterable[PartMarker]) -> list[str]:
    """Return the names of the inputs that had rows, but have none any more."""
    left: dict[str, int] = {}
    forgotten: dict[str, int] = {}
    for marker in markers:
        left[marker.input] = left.get(marker.input, 0) + marker.counts.written
        forgotten[marker.input] = forgotten.get(marker.input, 0) + marker.counts.forgotten
    return [name for name, rows in left.items() if not rows and forgotten[name] and not is_hidden(name)]
