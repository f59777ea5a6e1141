"""Finds binary columns that hold text, and rejects the rows whose bytes are not text.

Impala, Hive and some other programs write strings without the mark that says that the bytes are UTF-8.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from emojob.pipeline.reading.columns import Part
from emojob.pipeline.reading.common_types import value_type
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.row_batches import Reject, RowBatch
from emojob.schemas.arrow_text import unwrapped
from emojob.schemas.column_names import listed_columns
from emojob.schemas.columns import (
    READ_CHARACTERS,
    USUAL_CONVERSATION_COLUMNS,
    USUAL_SPEAKER_COLUMNS,
    USUAL_TEXT_COLUMNS,
    USUAL_TIME_COLUMNS,
    of_usual_name,
)

_SAMPLE = 10_000  # values of the text column that are checked; the values of other columns are all checked
_REASON = "text is not valid UTF-8"
_USUAL_ROLES = (*USUAL_TEXT_COLUMNS, *USUAL_CONVERSATION_COLUMNS, *USUAL_TIME_COLUMNS, *USUAL_SPEAKER_COLUMNS)

#: read(file, column) yields the values of a column of a file.
ReadColumn = Callable[[InputFile, str], Iterable[pa.Array]]


def with_binary_texts(
    parts: Sequence[Part], text_column: str | None, roles: Collection[str], read: ReadColumn
) -> list[Part]:
    """Return the schemas of the files with the type string for binary columns that hold text.

    - The text column, or a column with a usual name for text if no text column is given, is text if most of the first
      values are valid UTF-8. The other rows are rejected (`without_invalid_texts`).
    - A column with a usual name for conversations, times or speakers is text if all values are valid UTF-8.

    Args:
        parts: (file, schema of the file) for each file.
        text_column: Name from --text-column; None: the column with a usual name.
        roles: Names of columns from other options, such as --time-column.
        read: Reads a column of a file.
    """
    found = []
    for file, schema in parts:
        own = [field.name for field in schema if is_binary(field.type)]
        texts = {text_column} if text_column else {*of_usual_name(own, USUAL_TEXT_COLUMNS)}
        others = {*of_usual_name(own, _USUAL_ROLES), *roles}
        for name in own:
            if name in texts:
                is_text = _is_text(read(file, name), _SAMPLE, 0.5)
            else:
                is_text = name in others and _is_text(read(file, name), None, 1.0)
            if is_text:
                at = schema.get_field_index(name)
                schema = schema.set(at, schema.field(at).with_type(pa.string()))
        found.append((file, schema))
    return found


def is_binary(kind: pa.DataType) -> bool:
    """Return whether a type holds bytes of any length, also as a dictionary."""
    kind = value_type(kind)
    return any(is_kind(kind) for is_kind in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view))


def _is_text(arrays: Iterable[pa.Array], most: int | None, share: float) -> bool:
    """Return whether at least the share of the first `most` values is valid UTF-8. None: check all values."""
    values = valid = 0
    for array in arrays:
        known = array.drop_null()
        if most is not None:
            known = known[: most - values]
        values += len(known)
        valid += pc.sum(_is_valid(known)).as_py() or 0
        if (most is None and valid < values) or (most is not None and values >= most):
            break
    return valid >= share * values


def _is_valid(column: pa.Array) -> pa.BooleanArray:
    """Return whether each value is valid UTF-8; true for null."""
    data = unwrapped(column).cast(pa.large_binary())
    try:
        data.cast(pa.large_string())
        return pa.repeat(pa.scalar(True), len(data))
    except pa.ArrowInvalid:
        return pa.array([one is None or _decodes(one) for one in data.to_pylist()], pa.bool_())


def _decodes(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def without_invalid_texts(blocks: Iterable[RowBatch], text_column: str) -> Iterator[RowBatch]:
    """Yield the blocks of a file without the rows whose text is not valid UTF-8. These rows become rejected rows.

    Args:
        blocks: Consecutive blocks of a file without rejected rows.
        text_column: Name of the text column, a binary column.
    """
    for block in blocks:
        texts = block.batch.column(text_column)
        is_valid = _is_valid(texts)
        if pc.all(is_valid, min_count=0).as_py():
            yield block
            continue
        rows = pc.indices_nonzero(pc.invert(is_valid)).to_pylist()
        raws = unwrapped(texts).take(pa.array(rows)).to_pylist()
        rejects = [
            Reject(block.first_row + row + 1, _REASON, raw.decode("utf-8", "replace")[:READ_CHARACTERS])
            for row, raw in zip(rows, raws, strict=True)
        ]
        yield replace(block, batch=block.batch.filter(is_valid), rejects=rejects)


def binary_text_note(schemas: Iterable[pa.Schema], schema: pa.Schema) -> list[str]:
    """Return a line about the binary columns that are read as text, or [].

    Args:
        schemas: Schemas of the files.
        schema: Schema of the dataset.
    """
    binary = {field.name for own in schemas for field in own if is_binary(field.type)}
    names = [field.name for field in schema if field.name in binary and pa.types.is_string(field.type)]
    if not names:
        return []
    return [f"binary columns that are read as text, because the bytes are UTF-8: {listed_columns(names)}"]
