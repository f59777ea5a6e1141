"""Finds the inputs of which no row is labelled, and says when a run has too many rejected rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from emojob.pipeline.output.layout import REJECTS_FILE, marker_paths, rejects_beside
from emojob.pipeline.output.rejects import most_frequent_reason
from emojob.pipeline.reading.formats.delimited.records import AFTER_QUOTE, UNCLOSED
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.manifest import Counts, PartMarker
from emojob.schemas.messages import counted
from emojob.schemas.options import ScoreOptions

_NAMED = 3  # number of inputs in a message


@dataclass(frozen=True)
class Unlabelled:
    """An input of which no row is labelled.

    Attributes:
        input: Name of the input.
        rejected: Number of rejected rows.
        empty: Number of rows without text.
        reason: Most frequent reason of the rejected rows; "" if no row is rejected.
    """

    input: str
    rejected: int
    empty: int
    reason: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the object without the name, for the entry of the input in run.json."""
        return {name: value for name, value in asdict(self).items() if name != "input"}

    @property
    def in_words(self) -> str:
        """Return a text such as "a.csv: none of 8 rows is labelled, because ..."."""
        name, rows = PurePosixPath(self.input).name, counted(self.rejected + self.empty, "row")
        if not self.rejected:
            return f"{name}: none of {rows} is labelled, because none has a text"
        empty = f", and {self.empty:,} have no text" if self.empty else ""
        return f"{name}: none of {rows} is labelled: {self.rejected:,} are rejected ({self.reason}){empty}"


def unlabelled_inputs(folder: AnyPath, markers: Iterable[PartMarker], with_reasons: bool = True) -> list[Unlabelled]:
    """Return the inputs that have rows, but no labelled row, sorted by name.

    Args:
        folder: OUT.
        markers: Completion markers of the parts.
        with_reasons: Whether to read the reasons of the rejected rows.

    Raises:
        DataError: A file with rejected rows is damaged.
    """
    parts: dict[str, list[PartMarker]] = {}
    for marker in markers:
        parts.setdefault(marker.input, []).append(marker)
    found = []
    for name, own in sorted(parts.items()):
        counts = Counts()
        for marker in own:
            counts.add(marker.counts)
        if counts.labelled or counts.forgotten or not counts.read:
            continue
        files = [marker_paths(folder, marker).rejects for marker in own if marker.counts.rejected]
        reason = most_frequent_reason(files) if with_reasons else ""
        found.append(Unlabelled(name, counts.rejected, counts.empty, reason))
    return found


def problems(
    rejected: int,
    rows: int,
    options: ScoreOptions,
    unlabelled: Sequence[Unlabelled],
    out: AnyPath,
    option: str = "--max-rejects",
) -> list[str]:
    """Return the reasons for exit code 3 as lines; [] if there are none.

    Args:
        rejected: Number of rejected rows of the run.
        rows: Number of rows that the run read.
        options: Options of the run.
        unlabelled: The inputs without labelled rows.
        out: Path of the output.
        option: Name of the option for the number of rejected rows that are allowed.
    """
    wrong = [one for one in unlabelled if one.rejected]
    lines = [one.in_words for one in wrong[:_NAMED]]
    if len(wrong) > _NAMED:
        lines[-1] += f"; of {len(wrong) - _NAMED:,} more inputs, no row is labelled either"
    allowed = options.rejects_allowed(rows)
    if rejected > allowed:
        lines.append(
            f"{rejected:,} of {counted(rows, 'row')} are rejected, but {option} {options.max_rejects} allows "
            f"{int(allowed):,}"
        )
    if not lines:
        return []
    file = out / REJECTS_FILE if out.is_dir() else rejects_beside(out)
    step = ""
    if most_frequent_reason([file]) in (UNCLOSED, AFTER_QUOTE):
        setting = "--quote none" if option.startswith("--") else 'score.quote = "none"'
        step = f"; if quotes are ordinary characters in it, give {setting}"
    return [f"{line}; read the reasons in {file}, and correct the input{step}" for line in lines]


def of_run(run: dict[str, Any]) -> list[Unlabelled]:
    """Return the inputs without labelled rows that run.json names."""
    return [Unlabelled(one["name"], **one["unlabelled"]) for one in run["inputs"] if one.get("unlabelled")]


def with_unlabelled(run: dict[str, Any], folder: AnyPath, markers: Iterable[PartMarker]) -> dict[str, Any]:
    """Return run.json with the key `unlabelled` for each input without labelled rows.

    Args:
        run: Contents of run.json.
        folder: OUT.
        markers: Completion markers of the parts.
    """
    names = {one["name"] for one in run["inputs"]}
    found = {one.input: one for one in unlabelled_inputs(folder, (m for m in markers if m.input in names))}
    inputs = [
        {**one, "unlabelled": found[one["name"]].as_json()} if one["name"] in found else one for one in run["inputs"]
    ]
    return {**run, "inputs": inputs}


def empty_notes(unlabelled: Sequence[Unlabelled]) -> list[str]:
    """Return messages about the inputs whose rows all have no text."""
    empty = [one for one in unlabelled if not one.rejected]
    more = f"; the same is true for {len(empty) - 1:,} more inputs" if len(empty) > 1 else ""
    return [f"{empty[0].in_words}{more}"] if empty else []
