"""Finds the input files for paths, globs and URLs. The file name determines the format."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from emojob.pipeline.reading.table_folders import live_files
from emojob.pipeline.storage.object_store import ObjectInfo, ObjectPath
from emojob.pipeline.storage.paths import AnyPath, parse_path, path_name
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
KNOWN = "use .parquet, .csv, .tsv, .jsonl, .ndjson or .json; all except .parquet may be compressed (.gz, .zst)"

_WILDCARD = re.compile(r"[*?[]")
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class InputFile:
    """An input file.

    Attributes:
        path: Absolute path or URL.
        format: parquet, csv, tsv or jsonl.
        compression: gzip, zstd or None. Always None for Parquet, because Parquet compresses each column internally.
        partitions: (key, value) of each key=value folder between the INPUT folder and the file. For
            __HIVE_DEFAULT_PARTITION__, the value is None.
        stored: Size and ETag of an object in an object store; None for a local file.
    """

    path: AnyPath
    format: str
    compression: str | None
    partitions: tuple[tuple[str, str | None], ...] = ()
    stored: ObjectInfo | None = None

    @property
    def name(self) -> str:
        """Absolute path or URL. It identifies the file in later runs."""
        return path_name(self.path)

    @property
    def size(self) -> int:
        """Size of the file in bytes, before decompression. Raises OSError if the file cannot be accessed."""
        return self.stored.st_size if self.stored else self.path.stat().st_size


def find_inputs(inputs: Sequence[str], leave_out: Collection[AnyPath] = ()) -> list[InputFile]:
    """Return the files for `inputs`, each file once.

    Folders are searched recursively. In folders and globs, these files and folders are skipped:
    - names that begin with . or _
    - labelled archives
    - paths in `leave_out`
    - links that lead out of the folder
    - files of an unknown format

    Args:
        inputs: Files, folders, globs and URLs.
        leave_out: Files and folders to skip, such as the output of the run.

    Returns:
        Files in the order of `inputs`. The files of each folder or glob are sorted by path.

    Raises:
        DataError: An input cannot be read, is not a regular file or has an unknown format.
        NothingFound: No file is found for an input.
        OptionError: The scheme of a URL is unknown.
    """
    if not inputs:
        raise NothingFound("no input: give a file, a folder or a glob, such as logs/2026-10-05.parquet")
    left_out = {path.resolve() for path in leave_out}
    found: dict[AnyPath, InputFile] = {}
    for given in inputs:
        for file in _find(given, left_out):
            found.setdefault(file.path.resolve(), file)
    return list(found.values())


def _find(given: str, left_out: set[AnyPath]) -> list[InputFile]:
    path = input_path(given)
    try:
        if isinstance(path, ObjectPath):
            return _find_objects(path, left_out, given)
        if path.is_dir():
            root = path.resolve()
            return _known_files(_walk(root, left_out), root, given)
        if path.exists() or path.is_symlink():
            return [_named_file(one, given) for one in live_files([path.parent.resolve() / path.name])]
        if _WILDCARD.search(str(path)):
            return _expand(path, left_out, given)
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        reason = getattr(error, "strerror", None) or "it is a link that leads to itself"
        raise DataError(f"{given} cannot be read: {reason}; check the path and your read permission") from error
    raise NothingFound(f"{given}: no such file or folder; check the path (relative paths begin at {Path.cwd()})")


def input_path(given: str) -> AnyPath:
    """Parse an input path or URL.

    Raises:
        DataError: `given` is empty.
        OptionError: The URL is wrong, or the package for the URL scheme is not installed.
    """
    if not given:
        raise DataError("an input is an empty string: give a file, a folder or a glob")
    return parse_path(given)


def _named_file(path: Path, given: str) -> InputFile:
    """Return the input file at a path. `given` is the path for messages.

    Raises DataError if the path is a broken link, has an unknown format, or is not a regular file.
    """
    if not path.exists():
        raise DataError(f"{given} is a link to a file that does not exist ({path.resolve()}); correct the link")
    kind = _kind(path)
    if kind is None:
        raise DataError(f"{given} has an unknown format; {KNOWN}")
    return _local_file(path, kind, path.parent)


def _expand(pattern: Path, left_out: set[AnyPath], given: str) -> list[InputFile]:
    """Return the files that match a glob, and the files in the folders that match the glob.

    Paths in `left_out` are skipped. `given` is the glob for messages.
    """
    literal, parts = _literal_parts(pattern.parts, lambda some: Path(*some).is_dir())
    root = Path(*literal).resolve()
    matched = []
    for text in glob.glob(str(Path(*parts)), recursive=True):  # noqa: PTH207  (Path.glob takes no absolute pattern)
        match = Path(text)
        path = match.parent.resolve() / match.name
        if any(_is_skipped(one, left_out) for one in _up_to(root, path)):
            continue
        matched += list(_walk(path, left_out)) if path.is_dir() and not path.is_symlink() else [path]
    if not matched:
        raise NothingFound(f"no file matches {given}; quote the pattern, and check it with ls")
    return _known_files(matched, root, given)


def _literal_parts(parts: Sequence[str], is_folder: Callable[[Sequence[str]], bool]) -> tuple[list[str], list[str]]:
    """Find the part of a glob that is not a pattern.

    A folder whose name contains [ ] * ? is not a pattern if it exists under exactly this name.

    Args:
        parts: Names of the folders and of the file.
        is_folder: function(parts) that returns whether a folder exists.

    Returns:
        (the first parts, which are not a pattern; all parts, of which the first are escaped).
    """
    literal: list[str] = []
    for part in parts[:-1]:
        if _WILDCARD.search(part) and not is_folder([*literal, part]):
            break
        literal.append(part)
    return literal, [*map(glob.escape, literal), *parts[len(literal) :]]


def _up_to(root: Path, path: Path) -> Iterator[Path]:
    """Yield `path` and its parent folders, up to but not including `root`."""
    while path not in (root, path.parent):
        yield path
        path = path.parent


def _walk(folder: Path, left_out: set[AnyPath]) -> Iterator[Path]:
    """Yield the files in a folder and in its subfolders.

    Files and folders are left out if `_is_skipped` returns True. Links to folders are not followed.
    """

    def refuse(error: OSError) -> None:
        raise error

    for here, subfolders, names in os.walk(folder, onerror=refuse):
        subfolders[:] = [name for name in subfolders if not _is_skipped(Path(here, name), left_out)]
        yield from (path for name in names if not _is_skipped(path := Path(here, name), left_out))


def _is_skipped(path: Path, left_out: set[AnyPath]) -> bool:
    return path.name.startswith((".", "_")) or path in left_out or (path / STATE_FOLDER).is_dir()


def _known_files(paths: Iterable[Path], root: Path, given: str) -> list[InputFile]:
    """Return the files of known formats, sorted by path. Links that lead out of the folder `root` are skipped."""
    files = []
    for path in sorted(live_files(set(paths))):
        kind = _kind(path)
        leads_out = path.is_symlink() and not (path.exists() and path.resolve().is_relative_to(root))
        if kind and not leads_out:
            files.append(_local_file(path, kind, root))
    if not files:
        raise NothingFound(f"{given} contains no file of a known format; {KNOWN}")
    return files


def _find_objects(path: ObjectPath, left_out: set[AnyPath], given: str) -> list[InputFile]:
    """Return the objects for a URL: a single object, the objects in a folder, or the matches of a pattern.

    Paths in `left_out` are skipped. `given` is the URL for messages.

    Raises:
        DataError: The format of a single object is unknown.
        NothingFound: No object is found.
        OSError: The object store failed. `strerror` is the message.
    """
    if path.is_file():
        kind = _kind(path)
        if kind is None:
            raise DataError(f"{given} has an unknown format; {KNOWN}")
        return [_object(path, kind, path.parent, path.stat())]
    root, found = path, path.list_objects()
    if not found and _WILDCARD.search(path.key):
        literal, parts = _literal_parts(
            path.key.split("/"), lambda some: ObjectPath(path.scheme, "/".join(some)).is_dir()
        )
        root = ObjectPath(path.scheme, "/".join(literal))
        found = ObjectPath(path.scheme, "/".join(parts)).glob()
    if not found:
        raise NothingFound(f"{given}: no such object, folder or match of a pattern; check the bucket and the key")
    skipped = {*left_out, *_labelled_archives(found, root)}
    files = []
    for one in sorted(live_files(found)):
        kind, stored = _kind(one), found[one]
        is_hidden = any(name.startswith((".", "_")) for name in [*one.folders_from(root), one.name])
        if kind and not is_hidden and not any(one.is_relative_to(folder) for folder in skipped):
            files.append(_object(one, kind, root, stored))
    if not files:
        raise NothingFound(f"{given} contains no file of a known format; {KNOWN}")
    return files


def _labelled_archives(found: Iterable[ObjectPath], root: ObjectPath) -> set[ObjectPath]:
    """Return the folders below `root` that are labelled archives."""
    state = f"/{STATE_FOLDER}/"
    return {ObjectPath(one.scheme, one.key.partition(state)[0]) for one in found if state in one.key} - {root}


def _kind(path: AnyPath) -> tuple[str, str | None] | None:
    """Return (format, compression) from the extensions of a file name; None if the format is unknown."""
    stem, last = os.path.splitext(path.name.lower())  # noqa: PTH122  (to Path, the name .csv has no suffix)
    compression = COMPRESSIONS.get(last)
    if compression:
        last = os.path.splitext(stem)[1]  # noqa: PTH122
    kind = FORMATS.get(last)
    if kind is None or (kind == "parquet" and compression):
        return None
    return kind, compression


def _local_file(path: Path, kind: tuple[str, str | None], root: Path) -> InputFile:
    if not path.is_file():
        raise DataError(f"{path} is not a regular file (perhaps a pipe or a device); write the data to a file first")
    return InputFile(path, *kind, _partitions(path.parent.relative_to(root).parts))


def _object(path: ObjectPath, kind: tuple[str, str | None], root: ObjectPath, stored: ObjectInfo) -> InputFile:
    return InputFile(path, *kind, _partitions(path.folders_from(root)), stored)


def _partitions(folders: Iterable[str]) -> tuple[tuple[str, str | None], ...]:
    """Return (key, value) of each key=value folder. Escaped characters (%XX) are decoded, as in Hive."""
    named = (folder.partition("=") for folder in folders)
    found = {unquote(key): None if value == _HIVE_NULL else unquote(value) for key, sign, value in named if sign}
    return tuple(found.items())
