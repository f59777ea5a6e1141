"""Parses JSON of any size with ijson: a stream of events or values over the blocks of a text file."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats import encoding as text_encoding
from emojob.pipeline.reading.formats.blocks import text_blocks
from emojob.schemas.errors import DataError
from emojob.schemas.messages import first_line

#: Stands for a lone surrogate in a text: a code point that no text contains.
LONE, _LONE_ESCAPE = "\ufdd0", b"\\ufdd0"
_LONGEST_ESCAPE = 12  # bytes of the escapes of two surrogates
_HIGH = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}")
_MOST_DEPTH = 500
_OPENING, _CLOSING = np.frombuffer(b"[{", np.uint8), np.frombuffer(b"]}", np.uint8)
_ESCAPES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


class LongInteger(DataError):
    """A file has an integer of more than 64 bits, which the fast way of ijson does not read."""


def events(
    file: InputFile, encoding: str, parse: Callable[..., Iterator[Any]], long_integers: bool = False
) -> Iterator[Any]:
    """Parse a file with a function of ijson, such as ijson.parse. Errors become DataError.

    Args:
        file: The file.
        encoding: Encoding of the file.
        parse: Function of ijson.
        long_integers: Whether to read integers of any length. Numbers with a fraction are then of the type Decimal.
    """
    import ijson

    try:
        yield from parse(
            _Stream(text_blocks(file, encoding), encoding), use_float=not long_integers, multiple_values=True
        )
    except (ijson.JSONError, UnicodeDecodeError, ValueError, RecursionError, OverflowError) as error:
        raise (LongInteger if "integer overflow" in str(error) else DataError)(
            f"{file.name} is not valid JSON ({first_line(error)}); correct the file at this place, or copy the file "
            "again from its source"
        ) from error


def check_depth(file: InputFile, encoding: str) -> None:
    """Raise DataError if the values of a file are nested deeper than _MOST_DEPTH. ijson would take all memory.

    Brackets are counted first, also those in texts. Only if there are too many, the file is parsed.
    """
    import ijson

    depth = most = 0
    for block in _utf_8(text_blocks(file, encoding), encoding):
        codes = np.frombuffer(block, np.uint8)
        steps = np.isin(codes, _OPENING).astype(np.int8) - np.isin(codes, _CLOSING).astype(np.int8)
        depths = depth + np.cumsum(steps, dtype=np.int64)
        if len(depths):
            most, depth = max(most, int(depths.max())), int(depths[-1])
    if most <= _MOST_DEPTH:
        return
    depth = 0
    for event, _ in events(file, encoding, ijson.basic_parse):
        depth += event.startswith("start_") - event.startswith("end_")
        if depth > _MOST_DEPTH:
            raise DataError(f"{file.name} has values that are nested too deeply; give a list of flat objects")


class _Stream:
    """A binary stream of UTF-8 over the blocks of a text file, for ijson.

    ijson would replace a lone surrogate (\\ud800) by a question mark. Here it becomes LONE, so that the record can be
    rejected.
    """

    def __init__(self, blocks: Iterator[bytes], encoding: str) -> None:
        self._blocks, self._rest = _without_surrogates(_utf_8(blocks, encoding)), b""

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes; b"" at the end."""
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._rest = block
        data, self._rest = self._rest[:size] if size >= 0 else self._rest, self._rest[size:] if size >= 0 else b""
        return data


def _utf_8(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Yield blocks of text in UTF-8. Raises UnicodeDecodeError."""
    codec = text_encoding.codec(encoding)
    if codec == "utf-8":
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder(codec)("strict")
    for block in blocks:
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()


def _without_surrogates(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the blocks, in which LONE replaces each lone surrogate."""
    rest = b""
    for block in blocks:
        data = rest + block
        cut = data.find(b"\\", max(0, len(data) - _LONGEST_ESCAPE))  # an escape at the end may go on in the next block
        if cut < 0:
            cut = len(data)
        elif _HIGH.fullmatch(data, max(0, cut - 6), cut):
            cut -= 6
        cut -= len(data[:cut]) - len(data[:cut].rstrip(b"\\"))
        data, rest = data[:cut], data[cut:]
        yield _ESCAPES.sub(_lone, data) if b"\\ud" in data or b"\\uD" in data else data
    yield _ESCAPES.sub(_lone, rest)


def _lone(match: re.Match[bytes]) -> bytes:
    return _LONE_ESCAPE if match["lone"] else match[0]
