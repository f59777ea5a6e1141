"""Find conversations and previous utterances in an annotated table, by the same rules as `emojob score`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from emojob.pipeline.reading.columns import choose_conversation_column
from emojob.pipeline.reading.context import Conversations
from emojob.pipeline.reading.row_batches import RowBatch
from emojob.schemas.blank import is_blank
from emojob.schemas.errors import ColumnError
from emojob.schemas.messages import listed
from emojob.training.data.files import Table

_BATCH_ROWS = 1 << 14


def conversation_column(table: Table, text_column: str, given: str | None, context: str) -> str | None:
    """Return the name of the column with conversation IDs; None if the column is missing and not required.

    Args:
        table: The annotated table.
        text_column: Name of the text column.
        given: Column name from the user. None: search for a column with a usual name.
        context: `previous` or `none`. Only `previous` requires conversation IDs.

    Raises:
        ColumnError: The given column cannot be used; or a required column is missing or ambiguous.
    """
    parts, schema = [(table.file, table.data.schema)], table.data.schema
    try:
        column = choose_conversation_column(parts, schema, text_column, given)
        if column == text_column:
            raise ColumnError(
                f"{table.name}: --conversation-column {column} is the text column; give the column with the "
                "conversation IDs"
            )
        return column
    except ColumnError:
        if given is None and context == "none":
            return None
        raise


def no_conversations_error(table: Table) -> ColumnError:
    """Return the error for a table without conversations. The context `previous` needs conversations."""
    return ColumnError(
        f"{table.name} has no conversations, but the context `previous` needs conversations; use --context none, "
        "or give a table with conversation IDs, AI Hub dialogues, or an annotation sheet of emojob sample"
    )


def conversation_names(cells: Sequence[str | None]) -> list[str | None]:
    """Return the conversation ID of each row; None for a blank cell."""
    return [None if cell is None or is_blank(cell) else cell for cell in cells]


def previous_utterances(
    table: Table, text_column: str, conversation_column: str, time_column: str | None
) -> list[str | None]:
    """Return the previous utterance of each row; None if there is no previous utterance.

    Args:
        table: The annotated table.
        text_column: Name of the text column.
        conversation_column: Name of the column with conversation IDs.
        time_column: Name of the column to sort utterances by. None: keep the order of the rows.

    Raises:
        ColumnError: The time column is missing, or holds lists or structs.
    """
    data = table.data.select([text_column, conversation_column]).combine_chunks()
    order = None if time_column is None else _time_order(table, time_column)
    if order is not None:
        data = data.take(pa.array(order))
    conversations = Conversations(text_column, conversation_column)
    found: list[str | None] = []
    first = 0
    for batch in data.to_batches(_BATCH_ROWS):
        found += conversations.previous(RowBatch(batch, first, batch.num_rows, [])).to_pylist()
        first += batch.num_rows
    if order is None:
        return found
    in_file_order: list[str | None] = [None] * len(found)
    for row, previous in zip(order, found, strict=True):
        in_file_order[row] = previous
    return in_file_order


def _time_order(table: Table, time_column: str) -> list[int]:
    """Return the row numbers, sorted by time. Rows without a time are last."""
    column = table.find_column(time_column)
    if column is None:
        raise ColumnError(
            f"{table.name} has no column {time_column!r}; its columns are {listed(table.columns)}; give the column "
            "with the times: --time-column NAME"
        )
    values = table.values(column)
    if pa.types.is_nested(table.data.schema.field(column).type):
        raise ColumnError(
            f"{table.name}: column {column!r} holds lists or structs, not times; give the column with the times: "
            "--time-column NAME"
        )
    if any(isinstance(value, str) for value in values):
        values = _as_numbers(values)
    missing = [value is None or value != value for value in values]
    return sorted(range(len(values)), key=lambda row: (missing[row], 0 if missing[row] else values[row]))


def _as_numbers(values: list[str | None]) -> list[Any]:
    """Convert the texts to numbers if all nonblank texts are numbers. Blank texts become None."""
    texts = [value.strip() or None if value is not None else None for value in values]
    try:
        return [value and float(value) for value in texts]
    except ValueError:
        return list(texts)
