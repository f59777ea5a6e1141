"""What came before an utterance: the conversations of an annotated table, seen as `emojob score` sees an archive's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from emojob.pipeline.reading.columns import choose_conversation_column
from emojob.pipeline.reading.context import Conversations
from emojob.pipeline.reading.row_batches import RowBatch
from emojob.schemas.errors import ColumnError
from emojob.schemas.messages import listed
from emojob.training.data.files import Table

_STEP = 1 << 14  # rows handed to Conversations at a time


def conversation_column(table: Table, text_column: str, given: str | None, context: str) -> str | None:
    """The column that tells conversations apart; None where there is none and none is needed. Raises ColumnError."""
    parts, schema = [(table.file, table.data.schema)], table.data.schema
    try:
        column = choose_conversation_column(parts, schema, text_column, given)
        if column == text_column:
            raise ColumnError(
                f"{table.place}: --conversation-column {column} holds the text; give the one that tells conversations "
                "apart"
            )
        return column
    except ColumnError:
        if given is None and context == "none":
            return None
        raise


def no_conversations(table: Table) -> ColumnError:
    """The error for a table that has none, but must."""
    return ColumnError(
        f"{table.place} has no conversations, which the context `previous` needs: give archives with a conversation "
        "column, AI Hub's dialogues or a sheet of emojob sample, or train with --context none"
    )


def named(cells: Sequence[str | None]) -> list[str | None]:
    """Conversations by name; a blank cell is none."""
    return [cell if cell and cell.strip() else None for cell in cells]


def utterances_before(
    table: Table, text_column: str, conversation_column: str, time_column: str | None
) -> list[str | None]:
    """The utterance before each row in its conversation, as `emojob score` finds it; in the order of a time column."""
    data = table.data.select([text_column, conversation_column]).combine_chunks()
    order = None if time_column is None else _in_time(table, time_column)
    if order is not None:
        data = data.take(pa.array(order))
    conversations = Conversations(text_column, conversation_column)
    found: list[str | None] = []
    first = 0
    for batch in data.to_batches(_STEP):
        found += conversations.previous(RowBatch(batch, first, batch.num_rows, [])).to_pylist()
        first += batch.num_rows
    if order is None:
        return found
    placed: list[str | None] = [None] * len(found)
    for row, previous in zip(order, found, strict=True):
        placed[row] = previous
    return placed


def _in_time(table: Table, time_column: str) -> list[int]:
    """Row numbers in the order of a column of times or numbers, equal ones as in the file, those without one last."""
    column = table.called(time_column)
    if column is None:
        raise ColumnError(
            f"{table.place} has no column {time_column!r}; its columns are {listed(table.columns)}; --time-column NAME"
        )
    values = table.values(column)
    if pa.types.is_nested(table.data.schema.field(column).type):
        raise ColumnError(f"{table.place}: column {column!r} holds no times; say which: --time-column NAME")
    if any(isinstance(value, str) for value in values):
        values = _as_numbers(values)
    missing = [value is None or value != value for value in values]
    return sorted(range(len(values)), key=lambda row: (missing[row], 0 if missing[row] else values[row]))


def _as_numbers(values: list[str | None]) -> list[Any]:
    """Texts as numbers where all of them are, blank ones as None; else as they are: 2026-10-05 12:00 sorts as text."""
    texts = [value.strip() or None if value is not None else None for value in values]
    try:
        return [value and float(value) for value in texts]
    except ValueError:
        return list(texts)
