"""What the user names as INPUT: files, folders, globs and file:// URLs, found and told apart by their names."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from schemas.errors import ArchiveError

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

#: A folder that holds this is a labelled archive: output, not input.
MARK_OF_OUTPUT = "_emojob"

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_WILDCARD = re.compile(r"[*?[]")
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class InputFile:
    """One file of an archive.

    path: absolute; format: parquet, csv, tsv or jsonl; compression: gzip, zstd or None (Parquet compresses inside);
    partitions: the key=value folders between the INPUT folder and the file, None for Hive's null.
    """

    path: Path
    format: str
    compression: str | None
    partitions: tuple[tuple[str, str | None], ...] = ()

    @property
    def name(self) -> str:
        """What the file is known by from run to run: its absolute path."""
        # a name in another encoding than the system's is still a name
        return os.fsencode(self.path.as_posix()).decode("utf-8", "backslashreplace")


def find_inputs(inputs: Sequence[str], leave_out: Collection[Path] = ()) -> list[InputFile]:
    """The files that `inputs` name, in the order named, those of a folder or glob sorted; each file once.

    A folder is searched with its subfolders. Passed over in folders and globs: names that begin with . or _, labelled
    archives, `leave_out` (such as the run's own output), links that lead out of the folder, and files of other kinds.
    Raises ArchiveError where an input is missing, of no known kind, not a regular file, or not on this machine.
    """
    if not inputs:
        raise ArchiveError("no input: name a file, a folder or a glob, such as logs/2026-10-05.parquet")
    left_out = {one.resolve() for one in leave_out}
    found: dict[Path, InputFile] = {}
    for given in inputs:
        for file in _find(given, left_out):
            found.setdefault(file.path.resolve(), file)
    return list(found.values())


def _find(given: str, left_out: set[Path]) -> list[InputFile]:
    local = local_path(given)
    path = Path(local)
    try:
        if path.is_dir():
            root = path.resolve()
            return _of_known_kind(_walk(root, root, left_out), root, given)
        if path.exists() or path.is_symlink():
            return [_explicit(path.parent.resolve() / path.name, given)]
        if _WILDCARD.search(local):
            return _expand(local, left_out, given)
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        reason = getattr(error, "strerror", None) or "a link that leads nowhere"
        raise ArchiveError(f"{given} cannot be read: {reason}") from error
    raise ArchiveError(f"{given}: no such file or folder; check the path (a relative one begins at {Path.cwd()})")


def local_path(given: str) -> str:
    """A path from a path or a file:// URL."""
    if not given:
        raise ArchiveError("an input is the empty text: name a file, a folder or a glob")
    url = _URL.match(given)
    if not url:
        return given
    if url[1].lower() != "file":
        raise ArchiveError(
            f"{given}: this version reads local files, not {url[1].lower()}://; copy the archive to this machine first"
        )
    parts = urlsplit(given)
    if parts.netloc not in ("", "localhost"):
        raise ArchiveError(f"{given} names the machine {parts.netloc!r}; a local file is file:///path, three slashes")
    return unquote(given[len(url[0]) + len(parts.netloc) :])


def _explicit(path: Path, given: str) -> InputFile:
    """A file that was named itself."""
    if not path.exists():
        raise ArchiveError(f"{given} is a link to a file that does not exist: {path.resolve()}")
    kind = _kind(path)
    if kind is None:
        raise ArchiveError(f"{given} is of no known kind; {KNOWN}")
    return _regular(path, kind, path.parent)


def _expand(pattern: str, left_out: set[Path], given: str) -> list[InputFile]:
    """The files that a glob matches, and those in the folders that it matches."""
    fixed = []
    for part in Path(pattern).parts:
        if _WILDCARD.search(part):
            break
        fixed.append(part)
    root = Path(*fixed).resolve()
    matched = []
    for text in glob.glob(pattern, recursive=True):  # noqa: PTH207  (Path.glob takes no absolute pattern)
        match = Path(text)
        path = match.parent.resolve() / match.name
        if any(_is_passed_over(one, left_out) for one in _between(root, path)):
            continue
        matched += list(_walk(path, root, left_out)) if path.is_dir() and not path.is_symlink() else [path]
    if not matched:
        raise ArchiveError(f"no file matches {given}; quote the pattern, and check it with ls")
    return _of_known_kind(matched, root, given)


def _between(root: Path, path: Path) -> Iterator[Path]:
    """`path` and the folders that lead to it from `root`."""
    while path not in (root, path.parent):
        yield path
        path = path.parent


def _walk(folder: Path, root: Path, left_out: set[Path]) -> Iterator[Path]:
    """Every file below `folder` that is not passed over; links to folders are not followed."""

    def refuse(error: OSError) -> None:
        raise error

    for here, subfolders, names in os.walk(folder, onerror=refuse):
        subfolders[:] = [name for name in subfolders if not _is_passed_over(Path(here, name), left_out)]
        yield from (path for name in names if not _is_passed_over(path := Path(here, name), left_out))


def _is_passed_over(path: Path, left_out: set[Path]) -> bool:
    return path.name.startswith((".", "_")) or path in left_out or (path / MARK_OF_OUTPUT).is_dir()


def _of_known_kind(paths: Iterable[Path], root: Path, given: str) -> list[InputFile]:
    """Those of `paths`, all at or below the folder `root`, that can be read, sorted."""
    files = []
    for path in sorted(set(paths)):
        kind = _kind(path)
        leads_out = path.is_symlink() and not (path.exists() and path.resolve().is_relative_to(root))
        if kind and not leads_out:
            files.append(_regular(path, kind, root))
    if not files:
        raise ArchiveError(f"{given} holds no file of a known kind; {KNOWN}")
    return files


def _kind(path: Path) -> tuple[str, str | None] | None:
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
        raise ArchiveError(f"{path} is not a regular file (a pipe or device?); write it to a file first")
    folders = (folder.partition("=") for folder in path.parent.relative_to(root).parts)
    partitions = {unquote(key): None if value == _HIVE_NULL else unquote(value) for key, sign, value in folders if sign}
    return InputFile(path, *kind, tuple(partitions.items()))
