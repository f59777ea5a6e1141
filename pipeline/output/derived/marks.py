"""Reads the marks of archives inside derived files (see `output/identity.py`).

| file | place of the mark |
| --- | --- |
| report (HTML) | `<meta name="emojob-archive" content="MARK">` in the head |
| figures (JSON object) | the second key, `emojob_archive` |
| Parquet | the key `emojob_archive` of the metadata |
| workbook | the custom property `emojob_archive` |
| DuckDB database | the comment of the table or view `labelled` |
| memo | the key `archives` of the header |
| notes of reply drafts (FILE.notes.txt) | the line `emojob_archive: MARK` |
| reply drafts (CSV) | its notes, if they have the hash of the file |

Other CSV files, and JSON files with a list of rows, cannot contain a mark.

Some files are not made from the rows of an archive. They show only that emojob wrote them:

| file | place |
| --- | --- |
| page of `emojob evaluate` | `<meta name="generator" content="emojob">` in the head |
| JSON of `emojob evaluate` and `emojob bench` | the first key: `"generator": "emojob"` |
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import zipfile
from pathlib import Path
from typing import BinaryIO

from emojob.pipeline.inference import memo_file
from emojob.pipeline.output.derived.records import content_of
from emojob.pipeline.output.identity import Mark
from emojob.pipeline.storage.object_io import Reader
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath, seekable
from emojob.pipeline.storage.spreadsheet import DAMAGED, is_as_written
from emojob.schemas.errors import EmojobError

#: Key of the mark in JSON and Parquet files.
KEY = "emojob_archive"
#: Ending of the name of the notes of a file with reply drafts, after the name of the file; and the key of its hash.
NOTES, CONTENT = ".notes.txt", "emojob_content"
#: Name of the meta element with the mark in HTML pages.
META = "emojob-archive"

_COMMENT = "emojob archive "
_LABELLED = b"emojob"  # key of the metadata of a single labelled file
_HEAD = 4096  # bytes
_PAGE = re.compile(rb"\s*<!doctype html>.*?<meta name=\"emojob-archive\" content=\"([0-9a-f-]+)\">", re.DOTALL)
_OBJECT = re.compile(rb"\{\s*\"format\":\s*\d+,\s*\"emojob_archive\":\s*\"([0-9a-f-]+)\"")
_PROPERTY = re.compile(rb"name=\"emojob_archive\"[^<>]*><vt:lpwstr>([0-9a-f-]+)<")
_PROPERTIES, _MOST_PROPERTIES = "docProps/custom.xml", 1 << 16  # bytes
_TIMES = re.compile(rb"<dcterms:(?:created|modified)[^<>]*>([^<>]+)<")
_NOTES = re.compile(rb"emojob reply: .*?^emojob_archive: ([0-9a-f-]+)\r?$", re.DOTALL | re.MULTILINE)
_CONTENT = re.compile(rf"^{CONTENT}: (\S+)\r?$".encode(), re.MULTILINE)
_GENERATOR = re.compile(
    rb"\s*<!doctype html>.*?<meta name=\"generator\" content=\"emojob\">|\{\s*\"generator\":\s*\"emojob\"", re.DOTALL
)


def comment(mark: Mark) -> str:
    """Return the comment with the mark for the table or view `labelled` in a DuckDB database."""
    return f"{_COMMENT}{mark}"


def read_marks(file: AnyPath) -> list[Mark]:
    """Return the marks in a file. A memo may have the marks of several archives; other files have at most one mark.

    The result is [] if the file has no mark, is not a regular file, or cannot be read.
    """
    try:
        with _opened(file) as stream:
            head = stream.read(_HEAD)
        texts = _marks_of(file, head)
    except (OSError, EmojobError):
        return []
    return [mark for mark in map(Mark.parse, texts) if mark]


def is_from_emojob(file: AnyPath) -> bool:
    """Return whether the content of a file shows that emojob wrote a report, figures, an export or a measurement.

    The result is False for a memo file, for a labelled archive, for a workbook that was edited and saved, and for a
    file that cannot be read.
    """
    try:
        with _opened(file) as stream:
            head = stream.read(_HEAD)
        if _GENERATOR.match(head):
            return True
        if head.startswith(b"PAR1") and _LABELLED in _metadata(file):
            return False
        if head[8:12] == b"DUCK" and isinstance(file, Path):
            return any(text.startswith(_COMMENT) for text in _comments(file))
        if head.startswith(b"PK") and not _is_unedited(file):
            return False
        return not _is_memo(head) and any(map(Mark.parse, _marks_of(file, head)))
    except (OSError, EmojobError):
        return False


def _opened(file: AnyPath) -> BinaryIO | Reader:
    """Open a regular file. Links are not followed, and opening a pipe or a device does not block."""
    if isinstance(file, ObjectPath):
        return file.open(prefetch=False)
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(file, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{file} is not a regular file")
    return os.fdopen(descriptor, "rb")


def _marks_of(file: AnyPath, head: bytes) -> list[str]:
    for pattern in (_PAGE, _OBJECT, _NOTES):
        found = pattern.match(head)
        if found:
            return [found[1].decode()]
    if head.startswith(b"PAR1"):
        value = _metadata(file).get(KEY.encode())
        with contextlib.suppress(UnicodeDecodeError):
            return [value.decode()] if value else []
    if head.startswith(b"PK"):
        found = _PROPERTY.search(_member(file, _PROPERTIES))
        return [found[1].decode()] if found else []
    if head[8:12] == b"DUCK" and isinstance(file, Path):
        return [text.removeprefix(_COMMENT) for text in _comments(file) if text.startswith(_COMMENT)]
    if _is_memo(head) and isinstance(file, Path):
        return [str(mark) for mark in memo_file.read_archives(file)]
    return _marks_of_notes(file) if isinstance(file, Path) else []


def _marks_of_notes(file: Path) -> list[str]:
    """Return the mark in the notes of a file with reply drafts. A person may have changed a file with another hash."""
    with contextlib.suppress(OSError), _opened(file.with_name(f"{file.name}{NOTES}")) as stream:
        notes = stream.read(_MOST_PROPERTIES)
        found, content = _NOTES.match(notes), _CONTENT.search(notes)
        if found and content and content[1].decode(errors="replace") == content_of(file):
            return [found[1].decode()]
    return []


def _is_memo(head: bytes) -> bool:
    return head[8:9] == b"{"


def _metadata(file: AnyPath) -> dict[bytes, bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with contextlib.suppress(pa.ArrowException):
        return dict(pq.read_metadata(seekable(file)).metadata or {})
    return {}


def _is_unedited(file: AnyPath) -> bool:
    """Return whether a workbook has the content that emojob wrote.

    A workbook of an earlier version has no hash of its content. Then the two times in it must be equal.
    """
    with _ignored_errors(), _opened(file) as stream, zipfile.ZipFile(stream) as packed:
        known = is_as_written(packed)
        if known is not None:
            return known
    times = _TIMES.findall(_member(file, "docProps/core.xml"))
    return len(times) == 2 and len(set(times)) == 1


def _ignored_errors() -> contextlib.suppress:
    """Return a context manager that ignores the errors of a damaged ZIP file."""
    return contextlib.suppress(*DAMAGED)


def _member(file: AnyPath, name: str) -> bytes:
    """Return the beginning of a member of a ZIP file; b"" if there is none."""
    with (
        _ignored_errors(),
        _opened(file) as stream,
        zipfile.ZipFile(stream) as packed,
        packed.open(name) as part,
    ):
        return part.read(_MOST_PROPERTIES)
    return b""


def _comments(file: Path) -> list[str]:
    """Return the comments of the table or view `labelled` in a DuckDB database."""
    import duckdb

    config: dict[str, str | bool | int | float | list[str]] = {"enable_external_access": False}
    with contextlib.suppress(duckdb.Error, UnicodeDecodeError), duckdb.connect(str(file), True, config=config) as db:
        query = "SELECT comment FROM {} WHERE {} = 'labelled'"
        tables = db.execute(query.format("duckdb_tables()", "table_name")).fetchall()
        views = db.execute(query.format("duckdb_views()", "view_name")).fetchall()
        return [str(text) for (text,) in (*tables, *views)]
    return []
