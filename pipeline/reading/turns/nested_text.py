"""Makes a text inside a column, such as message.text, a column of its own with the name `text`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from emojob.pipeline.reading.row_batches import RowBatch
from emojob.pipeline.reading.turns.rows import FieldPath, field_index, free_name, nested_fields
from emojob.schemas.arrow_text import is_string
from emojob.schemas.columns import USUAL_TEXT_COLUMNS, WEAK_TEXT_COLUMNS, of_usual_name

TEXT = "text"
_USUAL = [name for name in USUAL_TEXT_COLUMNS if name not in WEAK_TEXT_COLUMNS]


def nested_texts(schema: pa.Schema) -> list[FieldPath]:
    """Return the paths of the nested fields that hold texts and have a usual name for texts."""
    return [
        path for path, kind in nested_fields(schema)
        if len(path) > 1 and is_string(kind) and of_usual_name([path[-1]], _USUAL)
    ]  # fmt: skip


def find_path(schema: pa.Schema, given: str) -> FieldPath | None:
    """Return the path of a nested field of texts that the user named, such as message.text; None if there is none."""
    return next((path for path, kind in nested_fields(schema) if len(path) > 1 and ".".join(path) == given), None)


def with_text_schema(schema: pa.Schema, path: FieldPath) -> pa.Schema:
    """Return the schema of the batches of `with_text`."""
    kind = dict(nested_fields(schema))[path]
    names = _names(schema)
    fields = [field.with_name(name) for field, name in zip(schema, names, strict=True)]
    return pa.schema([*fields, pa.field(TEXT, kind)], schema.metadata)


def with_text(blocks: Iterator[RowBatch], path: FieldPath) -> Iterator[RowBatch]:
    """Yield the rows with a column `text`. A column with this name gets the name `outer_text`.

    Args:
        blocks: Blocks of a file.
        path: Name of the column, then the names of the nested fields.
    """
    for block in blocks:
        column = block.batch.column(path[0])
        for name in path[1:]:
            column = pc.struct_field(column, field_index(column.type, name))
        names = [*_names(block.batch.schema), TEXT]
        yield replace(block, batch=pa.RecordBatch.from_arrays([*block.batch.columns, column], names))


def _names(schema: pa.Schema) -> list[str]:
    return [free_name(name, [TEXT, *schema.names]) if name == TEXT else name for name in schema.names]
