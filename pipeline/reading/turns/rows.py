"""Turns the turns of conversations, which are items of a list, into rows.

A row has the columns conversation_id, turn, speaker, sent_at and text, then the other fields of the turn, then the
columns of the conversation, which repeat in each of its rows. A column whose name is taken gets the prefix `outer_`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emojob.pipeline.reading.row_batches import RowBatch
from emojob.schemas.arrow_text import is_string
from emojob.schemas.columns import (
    SPEAKER_NAMES,
    TURN_COLUMNS,
    TURN_SPEAKERS,
    TURN_TEXTS,
    TURN_TIMES,
    USUAL_CONVERSATION_COLUMNS,
    USUAL_SPEAKER_COLUMNS,
    USUAL_TEXT_COLUMNS,
    of_usual_name,
    usual_times,
)

_DEEPEST = 4  # nesting depth at which turns and conversation IDs are searched
_ROWS = 8_192  # maximum number of conversations that are converted at a time
_TURNS = 65_536  # approximate number of turns that are converted at a time

FieldPath = tuple[str, ...]

#: Usual names of objects that describe a conversation.
_HOLDERS = (
    "channel",
    "chat",
    "room",
    "thread",
    "conversation",
    "dialogue",
    "dialog",
    "talk",
    "session",
    "info",
    "header",
)


@dataclass(frozen=True)
class Fields:
    """Which fields of a turn hold its text, speaker and time. None: the turn has no such field."""

    text: str | None
    speaker: str | None
    time: str | None


@dataclass(frozen=True)
class Turns:
    """Where the turns of a table are.

    Attributes:
        path: Name of the column with the turns, then the names of the nested fields.
        fields: The fields of a turn. None: each turn is a text.
        conversation: FieldPath of the column or field with the conversation ID; None if there is none.
        stem: Conversation IDs begin with this text if there is no such column.
    """

    path: FieldPath
    fields: Fields | None
    conversation: FieldPath | None
    stem: str

    @property
    def name(self) -> str:
        """The path as a text, such as body.dialogue."""
        return ".".join(self.path)


# -- finding -----------------------------------------------------------------------------------------------------------


def fields_of(names: Sequence[str]) -> Fields:
    """Return the fields of a turn with these field names."""
    texts = of_usual_name(names, (*TURN_TEXTS, *USUAL_TEXT_COLUMNS))
    text = texts[0] if texts else None
    speakers = [one for one in of_usual_name(names, (*TURN_SPEAKERS, *USUAL_SPEAKER_COLUMNS)) if one != text]
    usual = usual_times([name for name in names if name != text])
    times = usual or of_usual_name(names, TURN_TIMES)
    # a day and a time of day stay two columns, which the reports read as one time
    return Fields(text, speakers[0] if speakers else None, times[0] if len(times) == 1 else None)


def lists_of_turns(schema: pa.Schema) -> Iterator[tuple[FieldPath, Fields]]:
    """Yield (path, fields) of each list of objects with a text, at any depth outside other lists."""
    for path, kind in nested_fields(schema):
        if is_list(kind) and pa.types.is_struct(kind.value_type):
            names = [kind.value_type.field(i).name for i in range(kind.value_type.num_fields)]
            strings = [name for name in names if is_string(_plain(kind.value_type.field(name).type))]
            fields = fields_of(names)
            text = fields_of(strings).text
            if text:
                yield path, replace(fields, text=text, speaker=fields.speaker if fields.speaker != text else None)


def conversation_path(schema: pa.Schema, turns: FieldPath = ()) -> FieldPath | None:
    """Return the path of the conversation ID: a usual name, else a field `id`, the least nested one first."""
    paths = [
        (path, kind) for path, kind in nested_fields(schema)
        if not is_list(kind) and not pa.types.is_struct(kind) and (not turns or path[: len(turns)] != turns)
    ]  # fmt: skip
    for usual in (USUAL_CONVERSATION_COLUMNS, ("dialogue_id", "talk_id", "document_id", "thread_path")):
        found = [path for path, _ in paths if of_usual_name([path[-1]], usual)]
        if found:
            return min(found, key=len)
    ids = [path for path, _ in paths if of_usual_name([path[-1]], ("id",))]
    # an `id` inside the channel or the conversation comes before an `id` inside another object, such as the server
    return min(ids, key=lambda path: (len(path), not of_usual_name([path[-2:][0]], _HOLDERS)), default=None)


def is_list(kind: pa.DataType) -> bool:
    """Return whether a type is a list of any kind."""
    kinds = (
        pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list, pa.types.is_list_view,
        pa.types.is_large_list_view,
    )  # fmt: skip
    return any(one(kind) for one in kinds)


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def nested_fields(holder: Any, before: FieldPath = ()) -> Iterator[tuple[FieldPath, pa.DataType]]:
    """Yield (path, type) of each column and of each field of a struct."""
    for number in range(len(holder) if isinstance(holder, pa.Schema) else holder.num_fields):
        field = holder.field(number)
        path = (*before, field.name)
        yield path, field.type
        if pa.types.is_struct(field.type) and len(path) < _DEEPEST:
            yield from nested_fields(field.type, path)


# -- one object at a time (JSON documents) -----------------------------------------------------------------------------


def row_of(
    turn: dict[str, Any], number: int, fields: Fields, conversation: Any, outer: dict[str, Any]
) -> dict[str, Any]:
    """Return the row of a turn.

    Args:
        turn: The turn, as in the file.
        number: Number of the turn in its conversation, from 1.
        fields: The fields of the turn.
        conversation: The conversation ID.
        outer: The fields of the conversation.
    """
    row: dict[str, Any] = {"conversation_id": conversation, "turn": number}
    for name, field in (("speaker", fields.speaker), ("sent_at", fields.time), ("text", fields.text)):
        if field is not None:
            row[name] = turn.get(field)
    speaker = row.get("speaker")
    if isinstance(speaker, dict) and (names := of_usual_name(list(speaker), SPEAKER_NAMES)):
        row["speaker"] = speaker[names[0]]
    used = {fields.speaker if not isinstance(speaker, dict) else None, fields.time, fields.text}
    for values in ({name: value for name, value in turn.items() if name not in used}, outer):
        for name, value in values.items():
            row[free_name(name, row)] = value
    return row


def free_name(name: str, taken: Any) -> str:
    """Return a name that is not in `taken`: `name`, or the name with prefixes `outer_`."""
    while name in taken:
        name = f"outer_{name}"
    return name


# -- whole batches -----------------------------------------------------------------------------------------------------


def turns_schema(schema: pa.Schema, turns: Turns) -> pa.Schema:
    """Return the schema of the rows of `exploded`."""
    empty = pa.RecordBatch.from_pylist([], schema=schema)
    return _rows(empty, turns, 0).schema.with_metadata(schema.metadata)


def exploded(blocks: Iterator[RowBatch], turns: Turns) -> Iterator[RowBatch]:
    """Yield one row for each turn. A conversation without turns gives one row without a text.

    Args:
        blocks: Consecutive blocks of a file, from the first row.
        turns: Where the turns are.
    """
    row = 0
    for pending in blocks:
        while pending.rows_read:
            head, pending = pending.split(_fitting(pending, turns))
            batch = _rows(head.batch, turns, head.first_row)
            after = row + batch.num_rows + 1  # the rejected rows get numbers after the rows
            rejects = [replace(one, position=after + number) for number, one in enumerate(head.rejects)]
            yield RowBatch(batch, row, batch.num_rows + len(rejects), rejects)
            row += batch.num_rows + len(rejects)


def _fitting(block: RowBatch, turns: Turns) -> int:
    """Return how many conversations of a block have about _TURNS turns. Rejected rows count as conversations."""
    if not block.batch.num_rows:
        return block.rows_read
    counts = turn_counts(block.batch, turns)
    many = int(np.searchsorted(np.cumsum(counts), _TURNS)) + 1
    return min(max(1, many), _ROWS) if many < len(counts) or block.rows_read > _ROWS else block.rows_read


def turn_counts(batch: pa.RecordBatch, turns: Turns) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the number of rows for each conversation: int64 [conversations], at least 1 each."""
    counts: np.ndarray[Any, np.dtype[np.int64]] = np.maximum(_lengths(_column(batch, turns.path)), 1)
    return counts


def _rows(batch: pa.RecordBatch, turns: Turns, first_row: int) -> pa.RecordBatch:
    lists = _column(batch, turns.path)
    lengths = _lengths(lists)
    counts = np.maximum(lengths, 1)
    outer = np.repeat(np.arange(len(lengths)), counts)
    starts = np.cumsum(counts) - counts
    number = np.arange(len(outer)) - np.repeat(starts, counts)
    is_empty = np.repeat(lengths == 0, counts)
    offsets = np.repeat(np.cumsum(lengths) - lengths, counts)
    items = pc.list_flatten(lists).take(pa.array(offsets + number, pa.int64(), mask=is_empty))
    columns: dict[str, pa.Array] = {}
    columns["conversation_id"] = _conversations(batch, turns, first_row).take(pa.array(outer))
    columns["turn"] = pa.array(number + 1, pa.int64(), mask=is_empty)
    _add_fields(columns, items, turns.fields)
    for name, column in _others(batch, turns).items():
        columns[free_name(name, columns)] = column.take(pa.array(outer))
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


def _add_fields(columns: dict[str, pa.Array], items: pa.Array, fields: Fields | None) -> None:
    """Add the columns of the turns to `columns`."""
    if fields is None:
        columns["text"] = items
        return
    named = (("speaker", fields.speaker), ("sent_at", fields.time), ("text", fields.text))
    for name, field in named:
        if field is not None:
            column = pc.struct_field(items, field_index(items.type, field))
            columns[name] = _name_in(column) if name == "speaker" else column
    used = {field for _, field in named if field is None or not pa.types.is_struct(_field_type(items, field))}
    for number in range(items.type.num_fields):
        name = items.type.field(number).name
        if name not in used:
            columns[free_name(name, columns)] = pc.struct_field(items, number)


def _field_type(items: pa.Array, name: str) -> pa.DataType:
    return items.type.field(field_index(items.type, name)).type


def _name_in(speakers: pa.Array) -> pa.Array:
    """Return the names of speakers. Some programs write a speaker as an object with a name and an ID."""
    kind = speakers.type
    if not pa.types.is_struct(kind):
        return speakers
    names = of_usual_name([kind.field(number).name for number in range(kind.num_fields)], SPEAKER_NAMES)
    return pc.struct_field(speakers, field_index(kind, names[0])) if names else speakers


def _conversations(batch: pa.RecordBatch, turns: Turns, first_row: int) -> pa.Array:
    if turns.conversation is not None:
        return _column(batch, turns.conversation)
    return pa.array([f"{turns.stem}:{first_row + i + 1}" for i in range(batch.num_rows)], pa.string())


def _others(batch: pa.RecordBatch, turns: Turns) -> dict[str, pa.Array]:
    """Return the columns of the conversations, without the turns and without a column that is the conversation ID."""
    found: dict[str, pa.Array] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name == turns.path[0]:
            rest = _without(column, turns.path[1:])
            if rest is not None:
                found[name] = rest
        elif turns.conversation != (name,) or name != TURN_COLUMNS[0]:
            found[name] = column
    return found


def _without(column: pa.Array, path: FieldPath) -> pa.Array | None:
    """Return a struct column without a nested field; None if no field is left."""
    if not path:
        return None
    fields, values = [], []
    for number in range(column.type.num_fields):
        field = column.type.field(number)
        value: pa.Array | None = pc.struct_field(column, number)
        if field.name == path[0]:
            value = _without(value, path[1:])
        if value is not None:
            fields.append(field.with_type(value.type))
            values.append(value)
    if not fields:
        return None
    return pa.StructArray.from_arrays(values, fields=fields, mask=column.is_null())


def _column(batch: pa.RecordBatch, path: FieldPath) -> pa.Array:
    """Return a column, or a nested field of a struct column. A field of a null is null."""
    column = batch.column(path[0])
    for name in path[1:]:
        column = pc.struct_field(column, field_index(column.type, name))
    return column


def field_index(kind: pa.DataType, name: str) -> int:
    return next(number for number in range(kind.num_fields) if kind.field(number).name == name)


def _lengths(lists: pa.Array) -> np.ndarray[Any, np.dtype[np.int64]]:
    lengths = pc.fill_null(pc.cast(pc.list_value_length(lists), pa.int64()), 0)
    return np.asarray(lengths.to_numpy(zero_copy_only=False), np.int64)
