"""Finds the format and the compression of a file from its first bytes and its name.

The first bytes of a binary file are more reliable than its name: a Parquet file may be called part-0, x.csv or
x.parquet.gzip. For a text file, the name gives a first guess, and the reader looks at the content.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass

HEAD = 16  # number of bytes that `kind_of_bytes` needs

FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".parq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".txt": "txt",
    ".psv": "txt",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".xlsb": "xlsx",
    ".xls": "xlsx",
    ".ods": "xlsx",
    ".zip": "zip",
}
COMPRESSIONS = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd", ".bz2": "bz2", ".xz": "xz"}
KNOWN = (
    "use .parquet, .arrow, .feather, .csv, .tsv, .txt, .jsonl, .json, .xlsx, .xls or .zip; text files may be "
    "compressed (.gz, .zst, .bz2, .xz)"
)
#: Formats that are read from any place of the file, so that a compressed file must be decompressed first.
RANDOM_ACCESS = ("parquet", "arrow", "xlsx", "zip")

#: Name of the chat that WhatsApp on iOS exports.
WHATSAPP = "_chat.txt"

_HIDDEN = (".", "_", "~$")  # Excel locks a workbook with a file ~$NAME
_FIRST_BYTES = (
    (b"PAR1", "parquet"), (b"ARROW1", "arrow"), (b"\xff\xff\xff\xff", "arrow stream"), (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
)  # fmt: skip
_COMPRESSED = (
    (b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bz2"), (b"\xfd7zXZ\x00", "xz"),
)  # fmt: skip
_UNREADABLE = (
    (b"PARE", "an encrypted Parquet file", "write the file without encryption"),
    (b"FEA1", "a Feather file of version 1", "write the file again with a current version of pyarrow or pandas"),
    (b"ORC", "an ORC file", 'convert the file: python -c "import sys; from pyarrow import orc, parquet; '
     'parquet.write_table(orc.read_table(sys.argv[1]), sys.argv[2])" {old} {new}.parquet'),
    (b"Obj\x01", "an Avro file", 'convert the file: python -c "import sys, polars; '
     'polars.read_avro(sys.argv[1]).write_parquet(sys.argv[2])" {old} {new}.parquet'),
    (b"SQLite format 3\x00", "an SQLite database",
     "export its table: sqlite3 -csv -header {old} \"SELECT * FROM $(sqlite3 {old} .tables)\" > {new}.csv"),
    (b"version https://", "a pointer of Git LFS (not the file itself)",
     "run git lfs pull in its folder, or download the file again"),
    (b"%PDF", "a PDF file", "save the text as a .txt or .csv file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack the archive: 7z x {old}"),
    (b"Rar!", "a RAR archive", "unpack the archive: unrar x {old}"),
    (b"{\\rtf", "an RTF file", "save the text as a .txt or .csv file"),
    (b"\x89PNG", "a picture", "leave the file out"), (b"\xff\xd8\xff", "a picture", "leave the file out"),
    (b"GIF8", "a picture", "leave the file out"), (b"\x7fELF", "a program", "leave the file out"),
)  # fmt: skip
_OLE_NAMES = {".xls": "xlsx", ".xlsx": "xlsx", ".xlsm": "xlsx", ".xlsb": "xlsx"}
_IN_ZIP = {".docx": "a Word document", ".hwpx": "a Hangul document", ".pptx": "a presentation", ".odt": "a document"}


@dataclass(frozen=True)
class Kind:
    """Format and compression of a file.

    Attributes:
        format: parquet, arrow, csv, tsv, txt, jsonl, json, xlsx or zip; "" if the file cannot be read.
        compression: gzip, zstd, bz2, xz or None.
        what: What the file is, if it cannot be read, such as "an ORC file".
        next_step: What to do with a file that cannot be read. May contain {old} and {new}: the name of the file,
            with and without its extension.
    """

    format: str
    compression: str | None = None
    what: str = ""
    next_step: str = ""


def kind_of(name: str, head: Callable[[], bytes], form: str = "auto") -> Kind | None:
    """Return the kind of a file; None if the format is unknown.

    Args:
        name: Name of the file.
        head: Function that reads the first HEAD bytes of the file. b"": the name alone decides.
        form: Value of --format. Other values than `auto` replace the format of text files.
    """
    named, first = kind_of_name(name), head()
    kind = kind_of_bytes(first, name)
    if kind is None and first and named is None:
        kind = Kind("txt") if is_text(first) else None
    elif kind is None and first and form == "auto" and named and named.format == "xlsx":
        kind = _text_called_workbook(first)
    kind = kind or named
    if form == "auto" or (kind and kind.format in RANDOM_ACCESS):
        return kind
    return Kind(form, kind.compression if kind else None)


def advice(kind: Kind, given: str) -> str:
    """Return what a file is that cannot be read, and a command that converts it.

    Args:
        kind: Kind of the file, with `what` and `next_step`.
        given: Name of the file, as the user gave it.
    """
    old, new = shlex.quote(given), shlex.quote(os.path.splitext(given)[0])  # noqa: PTH122
    return f"{given} is {kind.what}, which emojob does not read; {kind.next_step.format(old=old, new=new)}"


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden, or a lock or temporary file of another program, by its name."""
    return name.startswith(_HIDDEN) and name != WHATSAPP


def kind_of_name(name: str) -> Kind | None:
    """Return the kind of a file from the extensions of its name; None if they are unknown."""
    stem, last = os.path.splitext(name.lower())  # noqa: PTH122  (to Path, the name .csv has no suffix)
    compression = COMPRESSIONS.get(last)
    if compression:
        last = os.path.splitext(stem)[1]  # noqa: PTH122
    kind = FORMATS.get(last)
    return Kind(kind, compression) if kind else None


def kind_of_bytes(head: bytes, name: str) -> Kind | None:
    """Return the kind of a binary file from its first bytes; None if it may be a text file.

    Args:
        head: The first HEAD bytes of the file, or all bytes if the file is shorter.
        name: Name of the file, to tell apart formats with the same first bytes.
    """
    named, extension = kind_of_name(name), os.path.splitext(name.lower())[1]  # noqa: PTH122
    for first, compression in _COMPRESSED:
        if head.startswith(first):
            inner = kind_of_name(os.path.splitext(name)[0]) if extension in COMPRESSIONS else named  # noqa: PTH122
            return Kind(inner.format if inner else "txt", compression)
    for first, what, next_step in _UNREADABLE:
        if head.startswith(first):
            return Kind("", what=what, next_step=next_step)
    for first, form in _FIRST_BYTES:
        if head.startswith(first):
            return _binary(form, extension, named)
    return None


def _binary(form: str, extension: str, named: Kind | None) -> Kind:
    if form == "ole":
        if extension in _OLE_NAMES:
            return Kind("xlsx")
        return Kind("", what="a document of an old Office or Hangul program", next_step="save it as .xlsx or .txt")
    if form == "zip":
        if extension in _IN_ZIP:
            return Kind("", what=_IN_ZIP[extension], next_step="save the text as a .txt or .csv file")
        return Kind("xlsx" if named and named.format == "xlsx" else "zip")
    return Kind("arrow" if form == "arrow stream" else form)


def _text_called_workbook(head: bytes) -> Kind:
    """Return the kind of a file that is called .xlsx or .xls, but is no workbook. Some programs write such files."""
    if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        return Kind("", what="an HTML or XML page", next_step="open it in Excel and save it as .xlsx or .csv")
    return Kind("", what="not a workbook", next_step="if it is a table of text, give --format tsv or --format csv")


def is_text(head: bytes) -> bool:
    """Return whether the first bytes of a file may be text: UTF-8, UTF-16 or cp949 without control characters."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    if b"\x00" in head:  # UTF-16 without a mark: every second byte of ASCII characters is zero
        return len(head) > 3 and (not any(head[1::2]) or not any(head[0:-1:2]))
    return not any(byte < 32 and byte not in b"\t\r\n\x0c\x01\x1b" for byte in head)
