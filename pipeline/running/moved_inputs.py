"""Recognises inputs that were moved or copied together with the archive, or moved to another path.

The path of an input identifies its rows in the archive. So without this, a moved folder would be labelled again, and
each row would count twice. An input of the run continues an input of the archive in two cases:

- Both have the same path relative to the archive, and the archive was moved or copied.
- The content is the same, and the path in the archive no longer exists.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emojob.pipeline.output.archive_folder import ArchiveFolder
from emojob.pipeline.output.coverage import complete_inputs
from emojob.pipeline.output.derived.input_names import change_names, renamed_markers
from emojob.pipeline.output.identity import Identity, hidden_name, is_hidden, original_of, read_identity, record_place
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats.blocks import Digest, content_of, digest_of
from emojob.pipeline.reading.source import Source
from emojob.pipeline.storage.paths import AnyPath, path_name
from emojob.schemas.errors import DataError
from emojob.schemas.manifest import PartMarker
from emojob.schemas.messages import counted, plural


@dataclass(frozen=True)
class Input:
    """An input of a run.

    Attributes:
        name: Path or URL of the input.
        inner: Member of a ZIP file or sheet of a workbook, at the end of `name`; "" for another file.
        size: Size in bytes.
        hash_of: Function that returns the SHA-256 of the content.
    """

    name: str
    inner: str
    size: int
    hash_of: Callable[[], str]

    @property
    def content(self) -> tuple[int, str]:
        """Size in bytes and SHA-256."""
        return self.size, self.hash_of()


@dataclass
class _Known:
    """An input of the archive.

    Attributes:
        contents: Sizes in bytes and SHA-256 of the contents from which the parts were written.
        rows: (first row, row after the last row) of each part.
    """

    contents: set[tuple[int, str]] = field(default_factory=set)
    rows: list[tuple[int, int]] = field(default_factory=list)

    def may_join(self, own: _Known | None) -> bool:
        """Return whether the parts of both can be those of one input. `own`: the input under its new name."""
        if own is None:
            return True
        is_apart = all(stop <= a or b <= first for first, stop in self.rows for a, b in own.rows)
        return is_apart and self.contents == own.contents


def inputs_of_sources(sources: Iterable[Source]) -> list[Input]:
    """Return the inputs of inspected files."""
    return [
        Input(one.file.name, _inner(one.file), one.size, lambda one=one: one.sha256)  # type: ignore[misc]
        for one in sources
    ]


def inputs_of_files(files: Iterable[InputFile]) -> list[Input]:
    """Return the inputs of files that are not inspected yet. A file is read only if its hash is needed.

    A file that cannot be read is equal to no other. The run says why it cannot be read.
    """
    return [
        Input(one.name, _inner(one), one.size, lambda one=one: _hash(one))  # type: ignore[misc]
        for one in files
    ]


def find_moved(
    archive: AnyPath,
    markers: Sequence[PartMarker],
    inputs: Sequence[Input],
    may_be: Callable[[str, str], bool] = lambda before, now: True,
) -> dict[str, str]:
    """Return {name in the archive: name in this run} of the moved inputs.

    Args:
        archive: The archive's folder.
        markers: Completion markers of the archive.
        inputs: The inputs of the run.
        may_be: Function(name in the archive, name in this run) that returns False for two inputs that are certainly not
            the same, for example because they are logs of different days.
    """
    complete, mine, known = complete_inputs(markers), {one.name for one in inputs}, dict[str, _Known]()
    left = [one for one in inputs if one.name not in complete]
    if not left or mine >= {marker.input for marker in markers}:
        return {}
    for marker in markers:
        found = known.setdefault(marker.input, _Known())
        found.contents.add((marker.input_bytes, marker.input_sha256))
        found.rows.append((marker.first_row, marker.stop_row))
    own = {name: known.pop(name) for name in mine if name in known}

    def is_possible(before: str, one: Input) -> bool:
        return known[before].may_join(own.get(one.name)) and may_be(before, one.name)

    moved = _moved_with_archive(archive, known, left, is_possible)
    known = {name: one for name, one in known.items() if name not in moved}
    left = [one for one in left if one.name not in moved.values()]
    return moved | _same_content(known, left, is_possible)


def change_moved(output: ArchiveFolder, moved: Mapping[str, str], writes: bool = True) -> None:
    """Give moved inputs their new names.

    Args:
        output: The archive. It must be locked if `writes` is true.
        moved: Result of `find_moved`.
        writes: Whether the archive is changed; False changes only `output.markers`.
    """
    if not moved:
        return
    if not writes:
        output.markers = renamed_markers(output.markers, moved)
        return
    output.ensure_lock_held()
    output.markers = change_names(output.folder, output.markers, moved)
    output.uncounted = change_names(output.folder, output.uncounted, moved)
    output.write_rejects()
    record_place(output.folder)


def moved_notes(moved: Mapping[str, str]) -> list[str]:
    """Return a message for the user about moved inputs, or []."""
    if not moved:
        return []
    before, now = next(iter(moved.items()))
    if is_hidden(before):
        return [f"{now}: the same content was forgotten, so its rows stay forgotten"]
    more = f", and {len(moved) - 1:,} more" if len(moved) > 1 else ""
    return [
        f"{counted(len(moved), 'moved input')} {'is' if len(moved) == 1 else 'are'} recognised, and the labelled rows "
        f"stay: {before} is now {now}{more}"
    ]


def held_notes(markers: Sequence[PartMarker], inputs: Sequence[Input]) -> list[str]:
    """Return a message about new inputs with a content that the archive has under another path, or []."""
    names: dict[tuple[int, str], str] = {}
    held, sizes = {marker.input for marker in markers}, set[int]()
    mine = {one.name for one in inputs}
    for marker in markers:
        if marker.counts.read and marker.input not in mine:
            names.setdefault((marker.input_bytes, marker.input_sha256), marker.input)
            sizes.add(marker.input_bytes)
    new = [one for one in inputs if one.name not in held and one.size in sizes]
    same = [(one.name, names[one.content]) for one in new if not one.inner and one.content in names]
    if not same:
        return []
    now, before = same[0]
    more = f", and {len(same) - 1:,} more {plural(len(same) - 1, 'input')}" if len(same) > 1 else ""
    return [
        f"{now} has the same contents as {before}, whose rows the archive already contains{more}: each row is counted "
        "twice"
    ]


# -- moved with the archive --------------------------------------------------------------------------------------------


def earlier_names(archive: AnyPath, names: Iterable[str]) -> dict[str, str]:
    """Return {name: name that the input had} before the archive was moved or copied; {} if it was not.

    Args:
        archive: The archive's folder.
        names: Names of the inputs of a run.
    """
    identity = read_identity(archive)
    before, now = identity.place if identity else None, path_name(archive.resolve())
    if before is None or before == now:
        return {}
    found = {name: _relocated(name, now, before) for name in names}
    return {name: earlier for name, earlier in found.items() if earlier is not None and earlier != name}


def _moved_with_archive(
    archive: AnyPath, known: Mapping[str, _Known], inputs: Sequence[Input], is_possible: Callable[[str, Input], bool]
) -> dict[str, str]:
    identity = read_identity(archive)
    earlier = earlier_names(archive, (one.name for one in inputs))
    if identity is None or not earlier:
        return {}
    is_copy, found = original_of(archive, identity) is not None, dict[str, str]()
    for one in inputs:
        before = _name_in(known, earlier.get(one.name), identity)
        if before is None or before in found or not is_possible(before, one):
            continue
        if one.content in known[before].contents or is_copy or is_gone(earlier[one.name]):
            found[before] = one.name
    return found


def _name_in(known: Collection[str], name: str | None, identity: Identity) -> str | None:
    """Return the name under which the archive has an input; None if it has no such input."""
    if name is None:
        return None
    return next((one for one in (name, hidden_name(identity, name)) if one in known), None)


def _relocated(name: str, place: str, other: str) -> str | None:
    """Return the path that is relative to `other` as `name` is to `place`; None if there is none."""
    parts, root, to = name.split("/"), place.split("/"), other.split("/")
    same = _equal(parts, root)
    up = len(root) - same
    return "/".join([*to[: len(to) - up], *parts[same:]]) if same and up < len(to) else None


# -- moved, with the same content --------------------------------------------------------------------------------------


def _same_content(
    known: Mapping[str, _Known], inputs: Sequence[Input], is_possible: Callable[[str, Input], bool]
) -> dict[str, str]:
    """Return {name in the archive: name in this run} of equal contents. Of several, the most similar paths belong."""
    by_content: dict[tuple[int, str], list[str]] = {}
    for name, one in known.items():
        if any(stop for _, stop in one.rows):
            for content in one.contents:
                by_content.setdefault(content, []).append(name)
    sizes = {size for size, _ in by_content}
    pairs = [
        (_common_end(before, one.name), before, one.name)
        for one in inputs
        if one.size in sizes
        for before in by_content.get(one.content, ())
        if _has_inner(before, one.inner) and is_possible(before, one) and is_gone(before)
    ]
    found: dict[str, str] = {}
    for _, before, now in sorted(pairs, key=lambda pair: (-pair[0], pair[1:])):
        if before not in found and now not in found.values():
            found[before] = now
    return found


def _common_end(first: str, second: str) -> int:
    """Return how many parts at the end of two paths are equal."""
    return _equal(first.split("/")[::-1], second.split("/")[::-1])


def _equal(first: Sequence[str], second: Sequence[str]) -> int:
    """Return how many parts at the beginning are equal."""
    pairs = zip(first, second, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def is_gone(name: str) -> bool:
    """Return whether an input no longer exists. Objects in an object store are not looked up, and count as existing.

    The name of a forgotten input is hidden, so it is unknown whether it exists. Then its rows stay forgotten.
    """
    if is_hidden(name):
        return True
    if not Path(name).is_absolute():  # a URL
        return False
    try:
        Path(name).stat()
    except FileNotFoundError:
        return True
    except (OSError, ValueError):  # a file in a ZIP file that exists; or nothing is known
        return False
    return False


def _hash(file: InputFile) -> str:
    if file.stored and file.member is None:
        return content_of(file, Digest()).sha256
    with contextlib.suppress(DataError):
        return digest_of(file)
    return ""


def _has_inner(name: str, inner: str) -> bool:
    return not inner or is_hidden(name) or name.endswith(f"/{inner}")


def _inner(file: InputFile) -> str:
    return "/".join(filter(None, (file.member, file.sheet)))
