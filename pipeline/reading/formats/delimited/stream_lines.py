"""Decodes the lines of a text stream, such as standard input. The encoding is detected in the first bytes."""

from __future__ import annotations

import codecs
import contextlib
import io
import itertools
import json
from collections.abc import Callable, Iterator

from emojob.pipeline.reading.files.content import HEAD, kind_of_bytes
from emojob.pipeline.reading.formats.blocks import UTF_16
from emojob.pipeline.reading.formats.encoding import OTHER_MARKS, decodes, utf_16_without_mark
from emojob.schemas.columns import USUAL_TEXT_COLUMNS, of_usual_name
from emojob.schemas.errors import DataError

_BLOCK = 64 << 10  # bytes per read
_MOST_ASCII = 1 << 20  # after so many bytes of ASCII, the encoding is UTF-8

_DECOMPRESS = {"gzip": "gzip -dc", "zstd": "zstd -dc", "bz2": "bzip2 -dc", "xz": "xz -dc"}
_BINARY = {
    "parquet": "a Parquet file", "arrow": "an Arrow file", "zip": "a ZIP file or a workbook", "xlsx": "a workbook",
}  # fmt: skip


def decoded_lines(read: Callable[[int], bytes], name: str) -> Iterator[str]:
    """Yield the lines of a stream without their line ends.

    Args:
        read: Function that returns the next bytes, at most as many as its argument; b"" at the end.
        name: Name of the stream for messages.

    Raises:
        DataError: The stream is no text, the encoding is not UTF-8, CP949 or UTF-16, or a line cannot be decoded.
    """
    head, is_whole = _head(read)
    _check_kind(head, name)
    encoding = _encoding(head, is_whole, name)
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), translate=True)
    pending, number = "", 0
    for block in itertools.chain([head], iter(lambda: read(_BLOCK), b""), [b""]):
        error, text = None, ""
        try:
            text = str(decoder.decode(block, final=not block))
        except UnicodeDecodeError as caught:
            error, text = caught, caught.object[: caught.start].decode(encoding)
        *lines, pending = (pending + text.replace("\r\n", "\n")).split("\n")
        yield from lines
        number += len(lines)
        if error:
            raise DataError(
                f"line {number + 1:,} of {name} is not valid {encoding}; correct the line, or convert the text to UTF-8"
            ) from error
    if pending:
        yield pending


def may_be_records(line: str) -> str:
    """Return what a first line shows: "JSON" (an object), "a table" (a header with a usual name for texts) or ""."""
    with contextlib.suppress(ValueError, RecursionError):
        if isinstance(json.loads(line), dict):
            return "JSON"
    fields = (line.split(delimiter) for delimiter in "\t,;|")
    found = any(
        len(names) > 1 and of_usual_name([n.strip(' "') for n in names], USUAL_TEXT_COLUMNS) for names in fields
    )
    return "a table" if found else ""


def _head(read: Callable[[int], bytes]) -> tuple[bytes, bool]:
    """Return (beginning of a stream, up to the first bytes that are not ASCII; whether it is the whole stream)."""
    pieces, size = [], 0
    while block := read(_BLOCK):
        pieces.append(block)
        size += len(block)
        if not block.isascii() or size >= _MOST_ASCII:
            return b"".join(pieces), False
    return b"".join(pieces), True


def _check_kind(head: bytes, name: str) -> None:
    """Raise DataError if a stream with this beginning is compressed, or is a file of another kind than text."""
    kind = kind_of_bytes(head[:HEAD], name)
    if kind is None:
        return
    if kind.compression:
        raise DataError(
            f"{name} is compressed ({kind.compression}), not lines of text; label the file with `emojob "
            f"score FILE`, or decompress it: {_DECOMPRESS[kind.compression]} FILE | emojob predict"
        )
    if kind.what:
        raise DataError(f"{name} is {kind.what}, not lines of text; give lines of text")
    raise DataError(f"{name} is {_BINARY[kind.format]}, not lines of text; label the file with `emojob score FILE`")


def _encoding(head: bytes, is_whole: bool, name: str) -> str:
    """Return the name of the codec for a text with this beginning. Raises DataError if no encoding fits."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    marked = next((encoding for mark, encoding in OTHER_MARKS.items() if head.startswith(mark)), None)
    if marked:
        if marked in UTF_16:
            return "utf-16"  # this codec removes the byte order mark
        raise DataError(f"{name} is in {marked}, which emojob does not read; convert it: iconv -f {marked} -t UTF-8")
    found = utf_16_without_mark(head) if b"\x00" in head else None
    if found:
        return found
    for encoding in ("utf-8", "cp949"):
        if _begins_in(head, encoding, is_whole):
            return encoding
    if b"\x00" in head[:HEAD]:
        raise DataError(f"{name} is no text; give lines of text, or label the file with `emojob score FILE`")
    lines = head.split(b"\n")
    return max(("utf-8", "cp949"), key=lambda encoding: sum(decodes(line, encoding) for line in lines))


def _begins_in(head: bytes, encoding: str, is_whole: bool) -> bool:
    """Return whether bytes can be decoded. If they are not the whole stream, the last character may be incomplete."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(head, final=is_whole)
    except UnicodeDecodeError:
        return False
    return True
