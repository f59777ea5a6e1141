"""Find conversations and previous utterances in an annotated table, by the same rules as `emojob score`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pyarrow as pa

from emojob.pipeline.reading.columns import choose_conversation_column
from emojob.pipeline.reading.context import Conversations
from emojob.pipeline.reading.row_batches import RowBatch
from emojob.schemas.blank import is_blank
from emojob.schemas.column_names import listed_columns
from emojob.schemas.columns import PAIR_MARK, split_times
from emojob.schemas.errors import ColumnError
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
    table: Table,
    text_column: str,
    conversation_column: str,
    time_column: str | None,
    date_order: str | None = None,
) -> tuple[list[str | None], str | None]:
    """Return the previous utterance of each row, and a note about the times.

    Args:
        table: The annotated table.
        text_column: Name of the text column.
        conversation_column: Name of the column with conversation IDs.
        time_column: Name of the column to sort utterances by. None: keep the order of the rows.
        date_order: Order of dates such as 03/04/26: ymd, mdy or dmy. None: the values of the column tell the order.

    Returns:
        (the previous utterances, None if there is no previous utterance; a line about values that are not times, or
        None).

    Raises:
        ColumnError: The time column is missing, holds lists or structs, or holds dates in an unknown order.
    """
    data = table.data.select([text_column, conversation_column]).combine_chunks()
    order, note = None, None
    if time_column is not None:
        order, note = _time_order(table, time_column, conversation_column, date_order)
        data = data.take(pa.array(order))
    conversations = Conversations(text_column, conversation_column)
    found: list[str | None] = []
    first = 0
    for batch in data.to_batches(_BATCH_ROWS):
        found += conversations.previous(RowBatch(batch, first, batch.num_rows, [])).to_pylist()
        first += batch.num_rows
    if order is None:
        return found, note
    in_file_order: list[str | None] = [None] * len(found)
    for row, previous in zip(order, found, strict=True):
        in_file_order[row] = previous
    return in_file_order, note


def _time_order(
    table: Table, time_column: str, conversation_column: str, date_order: str | None
) -> tuple[list[int], str | None]:
    """Return (the row numbers, sorted by time; a line about values that are not times, or None).

    A row without a time stays after the row before it in the same conversation.
    """
    from emojob.pipeline.times.time_column import utc_times

    columns = [_time_column(table, name) for name in split_times(time_column, table.columns)]
    column = PAIR_MARK.join(columns)
    clocks = table.data.column(columns[1]) if len(columns) > 1 else None
    times, reading = utc_times(table.data.column(columns[0]), date_order, clocks)
    is_empty = times.null_count == len(times)
    if reading.undecided or (reading.unclear and is_empty):
        raise ColumnError(f"{table.name}: {reading.note(column)}")
    if reading.unread and is_empty and clocks is None:
        numbers = _numbers(table.texts(columns[0]))
        if numbers is not None:
            return _sorted_rows(numbers, table.texts(conversation_column)), None
    note = reading.note(column)
    microseconds = times.cast(pa.int64()).to_pylist()
    return _sorted_rows(microseconds, table.texts(conversation_column)), note and f"{table.name}: {note}"


def _time_column(table: Table, given: str) -> str:
    """Return the name of a time column in the table. Raises ColumnError if it is missing, or cannot hold times."""
    column = table.find_column(given)
    if column is None:
        raise ColumnError(
            f"{table.name} has no column {given!r}; its columns are {listed_columns(table.columns)}; give the "
            "column with the times: --time-column NAME"
        )
    if pa.types.is_nested(table.data.schema.field(column).type):
        raise ColumnError(
            f"{table.name}: column {column!r} holds lists or structs, not times; give the column with the times: "
            "--time-column NAME"
        )
    return column


def _sorted_rows(times: Sequence[float | None], conversations: Sequence[str | None]) -> list[int]:
    """Return the row numbers, sorted by time, by the same rule as the reports (spoken.sql).

    A row without a time has the time of the conversation's row before it. If the conversation is stored with the newest
    row first, it has the time of the row that is stored after it, and comes after this row.
    """
    rows_of: dict[str | None, list[int]] = {}
    for row, conversation in enumerate(conversations):
        rows_of.setdefault(conversation, []).append(row)
    keys: list[tuple[float, bool]] = [(-math.inf, False)] * len(times)
    for rows in rows_of.values():
        known = [time for time in (times[row] for row in rows) if time is not None]
        steps = list(itertools.pairwise(known))
        falls = sum(after < before for before, after in steps) > sum(after > before for before, after in steps)
        last = None
        for row in reversed(rows) if falls else rows:
            time = times[row]
            last = last if time is None else time
            if last is not None:
                keys[row] = (last, falls and time is None)
            elif known:  # no time comes before: the row has the first known time, and its place in the file
                keys[row] = (known[-1] if falls else known[0], False)
    return sorted(range(len(keys)), key=keys.__getitem__)


def _numbers(texts: Sequence[str | None]) -> list[float | None] | None:
    """Return the texts as numbers, None for blank texts; or None if a text is not a number, such as a turn number."""
    try:
        numbers = [float(text) if text and text.strip() else None for text in texts]
    except ValueError:
        return None
    return [None if number is None or math.isnan(number) else number for number in numbers]
