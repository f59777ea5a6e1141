"""What the user names as INPUT: files, folders, globs and URLs of these, found and told apart by their names."""

from __future__ import annotations

import glob
import itertools
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from emojob.pipeline.storage.object_store import ObjectInfo, ObjectPath
from emojob.pipeline.storage.paths import AnyPath, parse_path
from emojob.schemas.errors import DataError, NothingFound
from emojob.schemas.manifest import STATE_FOLDER

FORMATS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
KNOWN = "known are .parquet, and .csv, .tsv, .jsonl, .ndjson and .json, these also with .gz or .zst behind"

_WILDCARD = re.compile(r"[*?[]")
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class InputFile:
    """One file of an archive.

    path: absolute; format: parquet, csv, tsv or jsonl; compression: gzip, zstd or None (Parquet compresses inside);
    partitions: the key=value folders between the INPUT folder and the file, None for Hive's null; stored: what a store
    told of it, None for a file of this machine.
    """

    path: AnyPath
    format: str
    compression: str | None
    partitions: tuple[tuple[str, str | None], ...] = ()
    stored: ObjectInfo | None = None

    @property
    def name(self) -> str:
        """What the file is known by from run to run: its absolute path, or its URL."""
        if isinstance(self.path, ObjectPath):
            return str(self.path)
        # a name in another encoding than the system's is still a name
        return os.fsencode(self.path.as_posix()).decode("utf-8", "backslashreplace")

    @property
    def size(self) -> int:
        """Bytes, as stored. Raises OSError."""
        return self.stored.st_size if self.stored else self.path.stat().st_size


def find_inputs(inputs: Sequence[str], leave_out: Collection[AnyPath] = ()) -> list[InputFile]:
    """The files that `inputs` name, in the order named, those of a folder or glob sorted; each file once.

    A folder is searched with its subfolders. Passed over in folders and globs: names that begin with . or _, labelled
    archives, `leave_out` (such as the run's own output), links that lead out of the folder, and files of other kinds.
    Raises DataError where an input cannot be read, is of no known kind or not a regular file, NothingFound where
    there is none, OptionError for a URL of a kind that is not known.
    """
    if not inputs:
        raise NothingFound("no input: name a file, a folder or a glob, such as logs/2026-10-05.parquet")
    left_out = {one.resolve() for one in leave_out}
    found: dict[AnyPath, InputFile] = {}
    for given in inputs:
        for file in _find(given, left_out):
            found.setdefault(file.path.resolve(), file)
    return list(found.values())


def _find(given: str, left_out: set[AnyPath]) -> list[InputFile]:
    path = input_path(given)
    try:
        if isinstance(path, ObjectPath):
            return _find_stored(path, left_out, given)
        if path.is_dir():
            root = path.resolve()
            return _of_known_kind(_walk(root, root, left_out), root, given)
        if path.exists() or path.is_symlink():
            return [_explicit(path.parent.resolve() / path.name, given)]
        if _WILDCARD.search(str(path)):
            return _expand(path, left_out, given)
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        reason = getattr(error, "strerror", None) or "a link that leads nowhere"
        raise DataError(f"{given} cannot be read: {reason}") from error
    raise NothingFound(f"{given}: no such file or folder; check the path (a relative one begins at {Path.cwd()})")


def input_path(given: str) -> AnyPath:
    """The place that an input names. Raises as `parse_path`."""
    if not given:
        raise DataError("an input is the empty text: name a file, a folder or a glob")
    return parse_path(given)


def _explicit(path: Path, given: str) -> InputFile:
    """A file that was named itself."""
    if not path.exists():
        raise DataError(f"{given} is a link to a file that does not exist: {path.resolve()}")
    kind = _kind(path)
    if kind is None:
        raise DataError(f"{given} is of no known kind; {KNOWN}")
    return _regular(path, kind, path.parent)


def _expand(pattern: Path, left_out: set[AnyPath], given: str) -> list[InputFile]:
    """The files that a glob matches, and those in the folders that it matches."""
    root = Path(*_fixed(pattern.parts)).resolve()
    matched = []
    for text in glob.glob(str(pattern), recursive=True):  # noqa: PTH207  (Path.glob takes no absolute pattern)
        match = Path(text)
        path = match.parent.resolve() / match.name
        if any(_is_passed_over(one, left_out) for one in _between(root, path)):
            continue
        matched += list(_walk(path, root, left_out)) if path.is_dir() and not path.is_symlink() else [path]
    if not matched:
        raise NothingFound(f"no file matches {given}; quote the pattern, and check it with ls")
    return _of_known_kind(matched, root, given)


def _fixed(parts: Sequence[str]) -> Iterator[str]:
    """The parts of a pattern before the first with a wildcard."""
    return itertools.takewhile(lambda part: not _WILDCARD.search(part), parts)


def _between(root: Path, path: Path) -> Iterator[Path]:
    """`path` and the folders that lead to it from `root`."""
    while path not in (root, path.parent):
        yield path
        path = path.parent


def _walk(folder: Path, root: Path, left_out: set[AnyPath]) -> Iterator[Path]:
    """Every file below `folder` that is not passed over; links to folders are not followed."""

    def refuse(error: OSError) -> None:
        raise error

    for here, subfolders, names in os.walk(folder, onerror=refuse):
        subfolders[:] = [name for name in subfolders if not _is_passed_over(Path(here, name), left_out)]
        yield from (path for name in names if not _is_passed_over(path := Path(here, name), left_out))


def _is_passed_over(path: Path, left_out: set[AnyPath]) -> bool:
    return path.name.startswith((".", "_")) or path in left_out or (path / STATE_FOLDER).is_dir()


def _of_known_kind(paths: Iterable[Path], root: Path, given: str) -> list[InputFile]:
    """Those of `paths`, all at or below the folder `root`, that can be read, sorted."""
    files = []
    for path in sorted(set(paths)):
        kind = _kind(path)
        leads_out = path.is_symlink() and not (path.exists() and path.resolve().is_relative_to(root))
        if kind and not leads_out:
            files.append(_regular(path, kind, root))
    if not files:
        raise NothingFound(f"{given} holds no file of a known kind; {KNOWN}")
    return files


def _find_stored(place: ObjectPath, left_out: set[AnyPath], given: str) -> list[InputFile]:
    """The objects that a store's URL names: one, those below it, or those that it matches as a pattern.

    Raises OSError in words, NothingFound.
    """
    if place.is_file():
        kind = _kind(place)
        if kind is None:
            raise DataError(f"{given} is of no known kind; {KNOWN}")
        return [_object(place, kind, place.parent, place.stat())]
    root, found = place, place.list_objects()
    if not found and _WILDCARD.search(place.key):
        root = ObjectPath(place.scheme, "/".join(_fixed(place.key.split("/"))))
        found = place.glob()
    if not found:
        raise NothingFound(f"{given}: no such object, and none below or that it matches; check the bucket and the key")
    marked = f"/{STATE_FOLDER}/"
    outputs = {ObjectPath(one.scheme, one.key.partition(marked)[0]) for one in found if marked in one.key} - {root}
    aside = [one for one in {*left_out, *outputs} if isinstance(one, ObjectPath)]
    files = []
    for path, stored in sorted(found.items()):
        kind = _kind(path)
        is_hidden = any(name.startswith((".", "_")) for name in [*path.folders_from(root), path.name])
        if kind and not is_hidden and not any(path.is_relative_to(one) for one in aside):
            files.append(_object(path, kind, root, stored))
    if not files:
        raise NothingFound(f"{given} holds no file of a known kind; {KNOWN}")
    return files


def _kind(path: AnyPath) -> tuple[str, str | None] | None:
    """(format, compression) by the name's end, None where it is of no known kind."""
    stem, last = os.path.splitext(path.name.lower())  # noqa: PTH122  (.csv alone is no suffix to Path)
    compression = COMPRESSIONS.get(last)
    if compression:
        last = os.path.splitext(stem)[1]  # noqa: PTH122
    kind = FORMATS.get(last)
    if kind is None or (kind == "parquet" and compression):
        return None
    return kind, compression


def _regular(path: Path, kind: tuple[str, str | None], root: Path) -> InputFile:
    if not path.is_file():
        raise DataError(f"{path} is not a regular file (a pipe or device?); write it to a file first")
    return InputFile(path, *kind, _partitions(path.parent.relative_to(root).parts))


def _object(place: ObjectPath, kind: tuple[str, str | None], root: ObjectPath, stored: ObjectInfo) -> InputFile:
    return InputFile(place, *kind, _partitions(place.folders_from(root)), stored)


def _partitions(folders: Iterable[str]) -> tuple[tuple[str, str | None], ...]:
    """The keys and values of Hive's folders."""
    named = (folder.partition("=") for folder in folders)
    found = {unquote(key): None if value == _HIVE_NULL else unquote(value) for key, sign, value in named if sign}
    return tuple(found.items())
