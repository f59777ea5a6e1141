"""Reads JSON lines: one object per line. The whole file is read first to find the columns."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json as pj

from emojob.pipeline.reading.columns import check_column_count
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats import encoding as text_encoding
from emojob.pipeline.reading.formats.blocks import has_offsets, text_blocks, whole_lines
from emojob.pipeline.reading.formats.delimited.records import TOO_LONG
from emojob.pipeline.reading.formats.encoding import codec
from emojob.pipeline.reading.formats.json.rich_text import joined_texts, may_be_parts
from emojob.pipeline.reading.formats.json.strict import StrictError, decode
from emojob.pipeline.reading.formats.json.types import (
    DEEPEST,
    Disagreement,
    add,
    from_inferred,
    kind_of,
    with_json_text,
)
from emojob.pipeline.reading.row_batches import SPLIT_ROWS, Reject, RowBatch, SplitPoint, last_split_point
from emojob.pipeline.reading.source import FileInfo, JsonLayout, Kinds, Source
from emojob.schemas.columns import READ_CHARACTERS
from emojob.schemas.errors import DataError
from emojob.schemas.options import ReadOptions

_MOST_CELLS = 1 << 25  # maximum number of cells in a table (a cell takes about 8 bytes)
_BLANK = b" \t\r\n"
_RAW_BYTES = 4 * READ_CHARACTERS
_NOT_BLANK = re.compile(rb"[^ \t\r\n][^\n]*+")
_OBJECT = re.compile(rb"^[ \t\r]*+\{[^\n]*\}[ \t\r]*+$", re.MULTILINE)
_AFTER_OBJECT = re.compile(rb"\}[ \t\r]*+[^ \t\r\n,\]}]")
_LONG_INTEGER = re.compile(rb"[:,\[ \t-][0-9]{16,}+(?![.eE])")  # an integer that may exceed 2^53
_ARRAY = re.compile(rb"^[ \t\r]*+[\[\],]?[ \t\r]*+$|,[ \t\r]*+$", re.MULTILINE)
_LINES = JsonLayout()
NO_TEXT = "the text is an object or a list"
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def inspect(file: InputFile, options: ReadOptions, count_rows: bool = False) -> FileInfo:
    """Return the hash, encoding, columns, number of rows and split points of a JSON lines file.

    Raises:
        DataError: The file is damaged, or has no JSON object.
    """
    return inspect_lines(file, text_encoding.inspect(file, options.encoding), JsonLayout())[0]


def inspect_lines(file: InputFile, info: text_encoding.TextInfo, layout: JsonLayout) -> tuple[FileInfo, int]:
    """Return (columns, number of rows and split points; number of rejected rows) of a file of lines.

    Args:
        file: The file.
        info: Size, hash and encoding of the file.
        layout: `lines` or `array lines`.

    Raises:
        DataError: The file has no JSON object.
    """
    kinds, rows, points, objects = survey(file, info.encoding, layout)
    schema = pa.schema([pa.field(name, pa.null()) for name in kinds])
    source = Source(
        file,
        info.size,
        info.sha256,
        schema,
        info.encoding,
        rows,
        info.lines,
        json=layout,
        split_points=tuple(points),
        unpacked=info.unpacked,
        notes=info.notes,
    )
    return FileInfo(source, kinds), rows - objects


def survey(file: InputFile, encoding: str, layout: JsonLayout = _LINES) -> tuple[Kinds, int, list[SplitPoint], int]:
    """Read a whole file to find the columns, the number of rows and the split points.

    Args:
        file: JSON lines file.
        encoding: utf-8, utf-8-sig or cp949.

    Returns:
        (kind of each column, number of rows, split points, number of objects).
        - The columns are in the order of first occurrence.
        - A line that is not a JSON object also counts as a row.
        - Split points are at least SPLIT_ROWS rows apart. For a compressed file, the list is empty.

    Raises:
        DataError: The file has no JSON object.
    """
    kinds: Kinds = {}
    rows, objects, first_reject = 0, 0, None
    # `offset` is the byte offset of the block. `offset` is None if the file is compressed, or if a line before the
    # block is too long.
    split_points, offset = list[SplitPoint](), 0 if has_offsets(file, encoding) else None
    for block, whole in _narrow(whole_lines(text_blocks(file, encoding))):
        size, block = len(block), _without_array(block, layout)
        check_column_count(file.name, len(kinds))
        if offset is not None and rows - (split_points[-1].row if split_points else 0) >= SPLIT_ROWS:
            split_points.append(SplitPoint(rows, offset))
        offset = offset + size if whole and offset is not None else None
        data = _utf8(block, encoding) if whole else None
        table = _read_fast(data, None) if data and not _LONG_INTEGER.search(data) else None
        if table is not None and not may_be_parts(table.schema):
            for field in table.schema:
                add(kinds, field.name, _inferred(field.type))
            rows, objects = rows + table.num_rows, objects + table.num_rows
            continue
        parsed, rejects, read = _parse(block, whole, encoding, rows)
        for row in parsed:
            for name, value in row.items():
                add(kinds, name, _kind(value))
        rows, objects = rows + read, objects + len(parsed)
        first_reject = first_reject or next(iter(rejects), None)
    if not objects:
        raise _no_object(file, first_reject)
    return kinds, rows, split_points, objects


def _no_object(file: InputFile, first_reject: Reject | None) -> DataError:
    """Return the error for a file without JSON objects.

    `first_reject` is the first rejected line; None if all lines are blank.
    """
    if first_reject is None:
        return DataError(f"{file.name} has only blank lines; remove the file from the inputs")
    return DataError(
        f"{file.name} has no JSON object on any line (row 1: {first_reject.reason}); write one JSON object per line"
    )


def read(
    source: Source, start_row: int = 0, rows: int | None = None, columns: Sequence[str] | None = None
) -> Iterator[RowBatch]:
    """Yield the rows of a file, beginning at the last split point before `start_row`.

    All columns are read, in blocks of any size.
    """
    file, encoding = source.file, source.encoding or "utf-8"
    layout = source.json or _LINES
    schema = source.own_schema
    split_point = last_split_point(source.split_points, start_row)
    row = split_point.row
    for block, whole in _narrow(whole_lines(text_blocks(file, encoding, split_point.offset)), len(schema.names)):
        block = _without_array(block, layout)
        data = None if source.json_columns or source.json_kinds or not whole else _utf8(block, encoding)
        table = _read_fast(data, schema) if data else None
        if table is not None:
            batches = table.select(schema.names).combine_chunks().to_batches()
            row_batch = RowBatch(batches[0], row, table.num_rows, [])
        else:
            parsed, rejects, count = _parse(block, whole, encoding, row, source.text_only)
            row_batch = RowBatch(batch_of(parsed, schema, source), row, count, rejects)
        row += row_batch.rows_read
        yield row_batch


def _narrow(blocks: Iterable[tuple[bytes, bool]], columns: int | None = None) -> Iterator[tuple[bytes, bool]]:
    """Cut blocks of lines into smaller blocks, so that each block has at most _MOST_CELLS table cells.

    Args:
        blocks: Blocks from `whole_lines`.
        columns: Number of columns. None: assume that the objects in a block have no field names in common.
    """
    for block, whole in blocks:
        lines = block.count(b"\n") + 1
        # if the number of columns is unknown, estimate the average number of field names per line
        names = columns or math.ceil(block.count(b":") / lines)
        most = max(1, _MOST_CELLS // names if columns else math.isqrt(_MOST_CELLS // (names or 1)))
        if not whole or lines <= most:
            yield block, whole
            continue
        every = block.split(b"\n")
        for first in range(0, lines - (not every[-1]), most):
            part = every[first : first + most]
            yield b"\n".join([*part, b""] if first + most < lines else part), True


def _read_fast(data: bytes, schema: pa.Schema | None) -> pa.Table | None:
    """Read lines with pyarrow in one call. Return None if the lines must be parsed individually.

    The lines are checked first. pyarrow crashes if a line is null or nested very deeply, and reads two objects on one
    line as two rows.
    """
    lines = len(_NOT_BLANK.findall(data))
    if not lines or lines != len(_OBJECT.findall(data)) or _is_deep(data, lines):
        return None
    if _AFTER_OBJECT.search(data) or b"Inf" in data:  # pyarrow accepts Inf as a number, but Python's json does not
        return None
    try:
        table = pj.read_json(
            pa.BufferReader(data),
            pj.ReadOptions(use_threads=False, block_size=len(data) + 1),
            pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error" if schema else "infer"),
        )
    except (pa.ArrowException, ValueError):
        return None
    return table if table.num_rows == lines and (schema is None or table.num_columns) else None


def _is_deep(data: bytes, lines: int) -> bool:
    """Return False if no line is nested deeper than DEEPEST.

    True may be wrong, because brackets inside strings are counted, too.
    """
    if data.count(b"[") + data.count(b"{") <= lines + DEEPEST:
        return False
    characters = np.frombuffer(data, np.uint8)
    steps = np.isin(characters, list(b"[{")).astype(np.int32) - np.isin(characters, list(b"]}"))
    depth = np.cumsum(steps, dtype=np.int32)
    ends = np.flatnonzero(characters == ord("\n"))
    begins = np.concatenate([[0], ends + 1])
    begins = begins[begins < len(data)]
    before = np.concatenate([[0], depth[ends]])[: len(begins)]
    return bool((np.maximum.reduceat(depth, begins) - before).max() > DEEPEST)


def _parse(
    block: bytes, whole: bool, encoding: str, row: int, text: str | None = None
) -> tuple[list[dict[str, Any]], list[Reject], int]:
    """Parse each line. Return (objects, rejected lines, number of lines that are not blank).

    Args:
        block: Whole lines, or the beginning of a line that is too long.
        whole: Whether the block has whole lines. If False, the line is rejected.
        encoding: utf-8, utf-8-sig or cp949.
        row: Row number of the first line, from 0.
        text: Name of a column. Objects in which it is an object or a list are rejected. None: no such check.
    """
    rows: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    first = row
    for line in block.split(b"\n") if whole else [block]:
        if not line.strip(_BLANK):
            continue
        row += 1
        value = _object(line, encoding) if whole else TOO_LONG
        if isinstance(value, dict) and isinstance(value.get(text or ""), dict | list):
            value = NO_TEXT
        if isinstance(value, dict):
            rows.append(value)
        else:
            raw = line[:_RAW_BYTES].decode(codec(encoding), "replace").strip()
            rejects.append(Reject(row, value, raw[:READ_CHARACTERS]))
    return rows, rejects, row - first


def _object(line: bytes, encoding: str) -> dict[str, Any] | str:
    """Return the object in a line, or the reason (a string) why the line is rejected."""
    try:
        value = decode(line.decode(codec(encoding)))
    except UnicodeDecodeError:
        return f"not valid {codec(encoding)}"
    except json.JSONDecodeError as error:
        return f"not JSON ({error.msg} at character {error.pos + 1})"
    except RecursionError:
        return "JSON that is nested too deeply"
    except StrictError as error:
        return f"JSON in which {error}"
    except ValueError:
        return "JSON with an integer of more than 4,300 digits"
    if not isinstance(value, dict):
        return "not a JSON object"
    if _SURROGATE.search(line) and not _is_text(value):
        return "not valid Unicode (a lone surrogate)"
    return joined_texts(value)  # type: ignore[no-any-return]


def _is_text(value: dict[str, Any]) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_array(block: bytes, layout: JsonLayout) -> bytes:
    """Return lines without the brackets and commas of an array."""
    return _ARRAY.sub(b"", block) if layout.kind == "array lines" else block


def batch_of(rows: list[dict[str, Any]], schema: pa.Schema, source: Source) -> pa.RecordBatch:
    """Return JSON objects as a record batch. Values of several types become JSON text, as the source says."""
    arrays, kinds = [], dict(source.json_kinds)
    for field in schema:
        values = [row.get(field.name) for row in rows]
        if field.name in source.json_columns:
            values = [_json_text(value) for value in values]
        elif field.name in kinds:
            values = [with_json_text(value, kinds[field.name]) for value in values]
        arrays.append(pa.array(values, field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _json_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _utf8(block: bytes, encoding: str) -> bytes | None:
    """Return `block` in UTF-8; None if the block cannot be decoded."""
    try:
        text = block.decode(codec(encoding))
    except UnicodeDecodeError:
        return None
    return block if codec(encoding) == "utf-8" else text.encode()


def _kind(value: Any) -> pa.DataType | None:
    try:
        return kind_of(value)
    except Disagreement:
        return None


def _inferred(kind: pa.DataType) -> pa.DataType | None:
    try:
        return from_inferred(kind)
    except Disagreement:
        return None
