"""Reads which parts an archive has at one moment, even if another command changes the archive meanwhile.

Reading takes several steps: list the files, then read the completion markers. Between the steps, `emojob forget` can
replace parts, so that the list contains neither the old parts nor the new parts. If a listed file is missing, or a part
has no completion marker, the files are listed again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emojob.pipeline.output import layout
from emojob.pipeline.output.coverage import counted
from emojob.pipeline.output.journal import Journal, read_journal
from emojob.pipeline.output.layout import PartPaths
from emojob.pipeline.output.parts import parse_marker
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.paths import AnyPath, list_files, read_all
from emojob.schemas.errors import BusyError, OutputError
from emojob.schemas.manifest import OUT_FORMAT, PartMarker

_TRIES = 20  # maximum number of times that the files are listed


@dataclass(frozen=True)
class Snapshot:
    """The parts of an archive at one moment.

    Attributes:
        markers: Completion markers of the parts that count (see `counted`), sorted by part name.
        uncounted: Completion markers of complete parts that do not count.
        journal: Contents of the journal file; empty if there is no journal file.
        has_journal: Whether there is a journal file.
    """

    markers: list[PartMarker]
    uncounted: list[PartMarker]
    journal: Journal
    has_journal: bool


def read_snapshot(folder: AnyPath) -> Snapshot:
    """Read the completion markers of an archive.

    Damaged completion markers, and completion markers that do not match their part file, are ignored.

    Args:
        folder: OUT.

    Raises:
        OutputError: A newer version of emojob wrote OUT.
        BusyError: Another command changed OUT again and again.
    """
    before = None
    for _ in range(_TRIES):
        look = _look(folder, before)
        if not _is_doubtful(look, before):
            return Snapshot(*counted(look.markers), look.journal, look.has_journal)
        before = look
    raise BusyError(f"another command is changing {folder} all the time: wait until that command has ended, then retry")


@dataclass(frozen=True)
class _Look:
    """One look at the files of an archive.

    Attributes:
        files: {path relative to OUT: size in bytes}.
        contents: {(name, size in bytes): content} of the completion markers.
        markers: Completion markers that match their part.
        gone: Listed files that were missing when they were read.
        unmatched: {name of a completion marker without a matching part: size of the part, None if it is missing}.
        unmarked: Names of the parts without a completion marker.
    """

    files: dict[str, int]
    contents: dict[tuple[str, int], bytes]
    journal: Journal
    has_journal: bool
    markers: list[PartMarker] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    unmatched: dict[str, int | None] = field(default_factory=dict)
    unmarked: set[str] = field(default_factory=set)


def _look(folder: AnyPath, before: _Look | None) -> _Look:
    files = list_files(folder, layout.STATE_FOLDERS)
    names = sorted(name for name in files if layout.is_state(name))
    known = before.contents if before else {}
    # A completion marker that was read before is not read again. run.json and the journal change under the same name.
    to_read = [name for name in names if (name, files[name]) not in known or not _is_marker(name)]
    contents = dict(zip(to_read, read_all([folder / name for name in to_read]), strict=True))
    contents |= {name: known[name, files[name]] for name in names if name not in contents}
    journal = read_journal(contents.get(layout.JOURNAL_FILE, b""))
    read = {(name, files[name]): content for name, content in contents.items() if _is_marker(name) and content}
    look = _Look(files, read, journal, layout.JOURNAL_FILE in files)
    parsed = {name: atomic.parse_json(content) for name, content in contents.items()}
    for plain in parsed.values():
        _ensure_known_format(folder, plain)
    plain_markers = {Path(name).stem: plain for name, plain in parsed.items() if _is_marker(name)}
    skipped = {*journal.replaced, *journal.replacements}
    missing = [name for name, content in contents.items() if files[name] and not content]
    look.gone.update(name for name in missing if Path(name).stem not in skipped)
    for stem, plain in [*((s, p) for s, p in plain_markers.items() if s not in skipped), *journal.replacements.items()]:
        _add(look, PartPaths(folder, stem), plain)
    parts = {Path(name).stem for name in files if layout.PART_PATTERN.fullmatch(name)}
    look.unmarked.update(parts - set(plain_markers) - skipped)
    return look


def _add(look: _Look, paths: PartPaths, plain: dict[str, Any]) -> None:
    size = look.files.get(paths.part.name)
    marker = parse_marker(paths, plain, size)
    if marker:
        look.markers.append(marker)
    else:
        look.unmatched[paths.name] = size


def _is_doubtful(look: _Look, before: _Look | None) -> bool:
    """Return whether the files may have changed while `_look` read them.

    What `before` already saw is not doubtful: for example, a killed run left a part without a completion marker. New
    parts without a completion marker are not doubtful either, if no completion marker has vanished: a run is writing.
    """
    if before is None:
        return bool(look.gone or look.unmatched or look.unmarked)
    vanished = {name for name in before.files if _is_marker(name)} - set(look.files)
    new = {stem for stem in look.unmarked if f"{stem}.parquet" not in before.files}
    unmarked = look.unmarked - before.unmarked - (set() if vanished else new)
    return bool(look.gone or unmarked or look.unmatched.items() - before.unmatched.items())


def _is_marker(name: str) -> bool:
    return bool(layout.MARKER_PATTERN.fullmatch(name))


def _ensure_known_format(folder: AnyPath, plain: dict[str, Any]) -> None:
    if isinstance(plain.get("format"), int) and plain["format"] > OUT_FORMAT:
        raise OutputError(
            f"{folder} was written by a newer emojob (it has format {plain['format']}, but this emojob reads "
            f"at most {OUT_FORMAT}): update emojob, or give another path with -o"
        )
