"""Finds the input files for paths, globs and URLs. What is passed over is listed with its reason."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeGuard, TypeVar
from urllib.parse import unquote

from emojob.pipeline.reading.files.content import HEAD, KNOWN, Kind, advice, is_hidden, kind_of, kind_of_name
from emojob.pipeline.reading.files.input_file import InputFile, PassedOver
from emojob.pipeline.reading.files.saved_datasets import check_whole, other_files
from emojob.pipeline.reading.files.table_folders import live_files
from emojob.pipeline.reading.files.zip_files import list_members
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath, no_such_input, open_stream, parse_path, path_name
from emojob.pipeline.storage.temporary import is_temporary_name
from emojob.schemas.errors import DataError, NothingFound
from emojob.schemas.manifest import STATE_FOLDER

P = TypeVar("P", Path, ObjectPath)

_WILDCARD = re.compile(r"[*?[]")
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
_LABELLED = "a labelled archive"
_UNKNOWN = "an unknown format"
_INNER = "a ZIP file in a ZIP file"


def find_inputs(
    inputs: Sequence[str | InputFile],
    leave_out: Collection[AnyPath] = (),
    form: str = "auto",
    passed_over: list[PassedOver] | None = None,
    unreadable: dict[str, str] | None = None,
) -> list[InputFile]:
    """Return the files for `inputs`, each file once. A ZIP file is replaced by its members.

    Folders are searched recursively. In folders and globs, these files and folders are skipped:
    - names that begin with . or _
    - labelled archives
    - paths in `leave_out`
    - links that lead out of the folder
    - files of an unknown format

    Args:
        inputs: Files, folders, globs and URLs. Files that `find_inputs` returned stay as they are.
        leave_out: Files and folders to skip, such as the output of the run.
        form: Value of --format. `auto`: the first bytes and the name of each file decide.
        passed_over: List to which the skipped files are added. Not added are hidden files of other programs, and paths
            in `leave_out`.
        unreadable: Dictionary to which {name: error} of each named file or ZIP file that cannot be read is added. None:
            such a file raises DataError.

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
    skipped: list[PassedOver] = [] if passed_over is None else passed_over
    found: dict[tuple[AnyPath, str | None, str | None], InputFile] = {}
    rules = _Rules(left_out, form, skipped, unreadable)
    for given in inputs:
        for file in [given] if isinstance(given, InputFile) else _find(given, rules):
            found.setdefault(file.key, file)
    return list(found.values())


@dataclass(frozen=True)
class _Rules:
    """Which files are skipped, and the lists of skipped and unreadable files. See `find_inputs`."""

    left_out: set[AnyPath]
    form: str
    passed_over: list[PassedOver]
    unreadable: dict[str, str] | None

    def kind_of(self, path: AnyPath, read_head: bool = True) -> Kind | None:
        """Return the kind of a file; None if the format is unknown."""
        return kind_of(path.name, lambda: _head(path) if read_head else b"", self.form)

    def fail(self, name: str, error: DataError) -> None:
        """Add a file to the unreadable files. Raises the error if there is no list of unreadable files."""
        if self.unreadable is None:
            raise error
        self.unreadable[name] = str(error)

    def is_readable(self, kind: Kind | None, name: str) -> TypeGuard[Kind]:
        """Return whether a file of a folder or ZIP file is read. Of text files, those with a usual extension are."""
        is_text = kind is not None and kind.format == "txt" and self.form == "auto"
        return kind is not None and bool(kind.format) and not (is_text and kind_of_name(name) is None)

    def skip(self, path: AnyPath, root: AnyPath, reason: str) -> None:
        """Add a file to the skipped files. Hidden files are added only if they have a known extension."""
        if path in self.left_out or is_temporary_name(path.name):
            return
        if not is_hidden(path.name) or kind_of_name(path.name):
            name = path_name(path).removeprefix(path_name(root)).lstrip("/") or path.name
            self.passed_over.append(PassedOver(name, reason))


def _find(given: str, rules: _Rules) -> list[InputFile]:
    path = input_path(given)
    try:
        if isinstance(path, ObjectPath):
            return _find_objects(path, given, rules)
        if path.is_dir():
            root = path.resolve()
            return _known_files(_walk(root, rules, root), root, given, rules)
        if path.exists() or path.is_symlink():
            (live,) = live_files([path.parent.resolve() / path.name])  # NothingFound if the table has removed the file
            check_whole(live)
            return _named_file(live, given, rules)
        if _WILDCARD.search(str(path)):
            return _expand(path, given, rules)
    except (OSError, RuntimeError) as error:  # RuntimeError: a link that leads to itself
        reason = getattr(error, "strerror", None) or "it is a link that leads to itself"
        raise DataError(f"{given} cannot be read: {reason}; check the path and your read permission") from error
    raise no_such_input(given)


def input_path(given: str) -> AnyPath:
    """Parse an input path or URL.

    Raises:
        DataError: `given` is empty.
        OptionError: The URL is wrong, or the package for the URL scheme is not installed.
    """
    if not given:
        raise DataError("an input is an empty string: give a file, a folder or a glob")
    return parse_path(given)


def _named_file(path: Path, given: str, rules: _Rules) -> list[InputFile]:
    """Return the input file at a path, or the members of a ZIP file. `given` is the path for messages.

    Raises DataError if the path is a broken link, has an unknown format, or is not a regular file.
    """
    try:
        if not path.exists():
            raise DataError(f"{given} is a link to a file that does not exist ({path.resolve()}); correct the link")
        _check_regular(path)
        file = InputFile(path, *_readable(rules.kind_of(path), given), is_named=True)
    except DataError as error:
        rules.fail(path_name(path), error)
        return []
    return _with_members(file, given, rules)


def _readable(kind: Kind | None, given: str) -> tuple[str, str | None]:
    """Return (format, compression). Raises DataError if the file cannot be read."""
    if kind is None:
        raise DataError(f"{given} has an unknown format; {KNOWN}, or give the format with --format")
    if not kind.format:
        raise DataError(advice(kind, given))
    return kind.format, kind.compression


def _with_members(file: InputFile, given: str, rules: _Rules) -> list[InputFile]:
    """Return the file, or the files in a ZIP file. Raises DataError if no member of a named ZIP file can be read."""
    if file.format != "zip":
        return [file]
    try:
        members = list(_members(file, rules))
    except DataError as error:
        rules.fail(file.name, error)
        return []
    if not members and file.is_named:
        inner = next((one.name for one in rules.passed_over if one.reason == _INNER), None)
        raise NothingFound(
            f"{given} holds a ZIP file ({inner}); unpack {given}, and give the folder"
            if inner
            else f"{given} contains no file of a known format; {KNOWN}"
        )
    return members


def _members(file: InputFile, rules: _Rules) -> Iterator[InputFile]:
    """Yield the files of known formats in a ZIP file. Raises DataError if the ZIP file is damaged."""
    for name, head, size in list_members(file.path, file.name):
        kind = kind_of(name, lambda head=head: head, rules.form)  # type: ignore[misc]
        if kind and kind.format == "zip":
            kind = replace(kind, format="", what=_INNER)
        if not rules.is_readable(kind, name):
            rules.passed_over.append(PassedOver(f"{file.path.name}/{name}", (kind.what if kind else "") or _UNKNOWN))
            continue
        form, compression = kind.format, kind.compression
        yield replace(file, format=form, compression=compression, member=name, unpacked=size, is_named=False)


def _expand(pattern: Path, given: str, rules: _Rules) -> list[InputFile]:
    """Return the files that match a glob, and the files in the folders that match the glob.

    `given` is the glob for messages.
    """
    literal, parts = _literal_parts(pattern.parts, lambda some: Path(*some).is_dir())
    root = Path(*literal).resolve()
    matched = []
    for text in glob.glob(str(Path(*parts)), recursive=True):  # noqa: PTH207  (Path.glob takes no absolute pattern)
        match = Path(text)
        path = match.parent.resolve() / match.name
        if any(_is_skipped(one, rules, root) for one in _up_to(root, path)):
            continue
        matched += list(_walk(path, rules, root)) if path.is_dir() and not path.is_symlink() else [path]
    if not matched:
        raise NothingFound(f"no file matches {given}; quote the pattern, and check it with ls")
    return _known_files(matched, root, given, rules)


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


def _walk(folder: Path, rules: _Rules, root: Path) -> Iterator[Path]:
    """Yield the files in a folder and in its subfolders.

    Files and folders are left out if `_is_skipped` returns True. Links to folders are not followed.
    """

    def refuse(error: OSError) -> None:
        raise error

    for here, subfolders, names in os.walk(folder, onerror=refuse):
        for name in [name for name in subfolders if Path(here, name).is_symlink()]:
            rules.skip(Path(here, name), root, "a link to a folder")
        subfolders[:] = [name for name in subfolders if not _is_skipped(Path(here, name), rules, root)]
        yield from (path for name in names if not _is_skipped(path := Path(here, name), rules, root))


def _is_skipped(path: Path, rules: _Rules, root: Path) -> bool:
    """Return whether a file or a folder is skipped. It is then added to the skipped files."""
    if path in rules.left_out:
        return True
    reason = None
    if is_hidden(path.name):
        reason = "a hidden file"
    elif (path / STATE_FOLDER).is_dir():
        reason = _LABELLED
    if reason:
        rules.skip(path, root, reason)
    return reason is not None


def _known_files(paths: Iterable[Path], root: Path, given: str, rules: _Rules) -> list[InputFile]:
    """Return the files of known formats, sorted by path. Links that lead out of the folder `root` are skipped."""
    files: list[InputFile] = []
    for path in _live(sorted(set(paths)), root, rules):
        if path.is_symlink() and not (path.exists() and path.resolve().is_relative_to(root)):
            rules.skip(path, root, "a link that leads out of the folder" if path.exists() else "a broken link")
            continue
        by_name = kind_of_name(path.name)
        if not path.is_file():
            if by_name:
                _check_regular(path)
            rules.skip(path, root, "not a regular file")
            continue
        kind = rules.kind_of(path)
        if not rules.is_readable(kind, path.name):
            rules.skip(path, root, kind.what if kind and not kind.format else _UNKNOWN)
            continue
        file = InputFile(path, kind.format, kind.compression, _partitions(path.parent.relative_to(root).parts))
        files += _with_members(file, given, rules)
    if not files:
        raise NothingFound(f"{given} contains no file of a known format; {KNOWN}")
    return files


def _live(paths: list[P], root: AnyPath, rules: _Rules) -> list[P]:
    """Return the paths without the files that the table or dataset in their folder does not contain."""
    others = other_files(paths)
    for path, reason in others.items():
        rules.skip(path, root, reason)
    paths = [path for path in paths if path not in others]
    live = live_files(paths)
    for path in paths if len(live) < len(paths) else []:
        if path not in live and not any(map(is_hidden, (path.name, path.parent.name))):
            rules.skip(path, root, "removed from the table")
    return live


def _head(path: AnyPath) -> bytes:
    with open_stream(path) as stream:
        return stream.read(HEAD) or b""


def _find_objects(path: ObjectPath, given: str, rules: _Rules) -> list[InputFile]:
    """Return the objects for a URL: a single object, the objects in a folder, or the matches of a pattern.

    `given` is the URL for messages.

    Raises:
        DataError: The format of a single object is unknown.
        NothingFound: No object is found.
        OSError: The object store failed. `strerror` is the message.
    """
    if path.is_file():
        check_whole(path)
        form, compression = _readable(rules.kind_of(path), given)
        return _with_members(InputFile(path, form, compression, (), path.stat(), is_named=True), given, rules)
    root, found = path, path.list_objects()
    if not found and _WILDCARD.search(path.key):
        literal, parts = _literal_parts(
            path.key.split("/"), lambda some: ObjectPath(path.scheme, "/".join(some)).is_dir()
        )
        root = ObjectPath(path.scheme, "/".join(literal))
        found = ObjectPath(path.scheme, "/".join(parts)).glob()
    if not found:
        raise NothingFound(f"{given}: no such object, folder or match of a pattern; check the bucket and the key")
    archives, files = _labelled_archives(found, root), list[InputFile]()
    for archive in sorted(archives):
        rules.skip(archive, root, _LABELLED)
    for one in _live(sorted(found), root, rules):
        if any(one.is_relative_to(folder) for folder in {*archives, *rules.left_out} if isinstance(folder, ObjectPath)):
            continue
        hidden = any(map(is_hidden, [*one.folders_from(root), one.name]))
        # the name of an object is trusted if its extension is known, because each look at the content is a request
        kind = None if hidden else rules.kind_of(one, read_head=kind_of_name(one.name) is None)
        if kind is None or not kind.format:
            rules.skip(one, root, "a hidden file" if hidden else kind.what if kind else _UNKNOWN)
            continue
        file = InputFile(one, kind.format, kind.compression, _partitions(one.folders_from(root)), found[one])
        files += _with_members(file, given, rules)
    if not files:
        raise NothingFound(f"{given} contains no file of a known format; {KNOWN}")
    return files


def _labelled_archives(found: Iterable[ObjectPath], root: ObjectPath) -> set[ObjectPath]:
    """Return the folders below `root` that are labelled archives."""
    state = f"/{STATE_FOLDER}/"
    return {ObjectPath(one.scheme, one.key.partition(state)[0]) for one in found if state in one.key} - {root}


def _check_regular(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"{path} is not a regular file (perhaps a pipe or a device); write the data to a file first")


def partitions_below(folder: AnyPath, file: AnyPath) -> tuple[tuple[str, str | None], ...] | None:
    """Return (key, value) of each key=value folder between a folder and a file; None if the file is not below."""
    if isinstance(folder, ObjectPath) and isinstance(file, ObjectPath):
        return _partitions(file.folders_from(folder)) if file.is_relative_to(folder) else None
    if isinstance(folder, Path) and isinstance(file, Path) and file.is_relative_to(folder):
        return _partitions(file.parent.relative_to(folder).parts)
    return None


def _partitions(folders: Iterable[str]) -> tuple[tuple[str, str | None], ...]:
    """Return (key, value) of each key=value folder. Escaped characters (%XX) are decoded, as in Hive."""
    named = (folder.partition("=") for folder in folders)
    found = {unquote(key): None if value == _HIVE_NULL else unquote(value) for key, sign, value in named if sign}
    return tuple(found.items())
