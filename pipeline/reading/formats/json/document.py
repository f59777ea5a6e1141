"""Reads JSON files of any size: an array of objects, a single object, or several objects one after the other.

A file that has one object on each line is read by `lines`, also if the lines are the items of an array.

The records of a file are:
- the items of the array, if the file is an array
- the objects, if the file has several objects
- the items of the longest list of objects in the object, if the file is a single object with such a list. The other
  fields of the object become columns with the same value in each row.
- otherwise, the object
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from emojob.pipeline.reading.columns import check_column_count
from emojob.pipeline.reading.formats import encoding as text_encoding
from emojob.pipeline.reading.formats.blocks import LONGEST_ROW, text_blocks
from emojob.pipeline.reading.formats.json import lines
from emojob.pipeline.reading.formats.json.rich_text import joined_texts
from emojob.pipeline.reading.formats.json.stream import LONE, check_depth, events
from emojob.pipeline.reading.formats.json.types import Disagreement, add, kind_of
from emojob.pipeline.reading.inputs import InputFile
from emojob.pipeline.reading.row_batches import Reject, RowBatch
from emojob.pipeline.reading.source import FileInfo, JsonLayout, Kinds, Source
from emojob.pipeline.reading.turns.rows import Fields, conversation_path, fields_of, row_of
from emojob.schemas.columns import READ_CHARACTERS, USUAL_TURN_COLUMNS, of_usual_name
from emojob.schemas.errors import DataError
from emojob.schemas.options import ReadOptions

_BATCH_RECORDS = 512
_BATCH_CHARACTERS = 4 << 20  # approximate characters of JSON in a batch
_MOST_OUTER = 20_000  # values of an object beside its list of records


def inspect(file: InputFile, options: ReadOptions, count_rows: bool = False) -> FileInfo:
    """Return the hash, encoding, columns and number of records of a JSON file.

    Raises:
        DataError: The file is damaged, or holds no object.
    """
    info = text_encoding.inspect(file, options.encoding)
    layout = _lines_layout(file, info.encoding)
    if layout:
        found, rejected = lines.inspect_lines(replace(file, format="jsonl"), info, layout)
        if layout.kind == "lines" or not rejected:
            return found
        # the array may have several objects on a line, or objects that span lines
        with contextlib.suppress(DataError):
            check_depth(file, info.encoding)
            return _inspect_records(file, info, _find_records(file, info.encoding))
        return found
    try:
        check_depth(file, info.encoding)
        return _inspect_records(file, info, _find_records(file, info.encoding))
    except DataError as error:
        try:  # some lines may be objects, and the others are rejected
            return lines.inspect_lines(replace(file, format="jsonl"), info, JsonLayout("array lines"))[0]
        except DataError as of_lines:
            raise (of_lines if file.format == "jsonl" else error) from None


def _inspect_records(file: InputFile, info: text_encoding.TextInfo, layout: JsonLayout) -> FileInfo:
    kinds: Kinds = {}
    rows = 0
    for record, _ in _records(file, info.encoding, layout):
        rows += 1
        if isinstance(record, dict):
            for name, value in record.items():
                add(kinds, name, _kind(value))
            check_column_count(file.name, len(kinds))
    if not kinds:
        raise DataError(
            f'{file.name} holds no JSON object with a field; give objects such as {{"text": "..."}}, one on each '
            "line or as a list"
        )
    schema = pa.schema([pa.field(name, pa.null()) for name in kinds])
    notes = (f"one row for each item of {layout.prefix.removesuffix('.item')}",) if layout.turns else ()
    source = Source(
        replace(file, format="json"),
        info.size,
        info.sha256,
        schema,
        info.encoding,
        rows,
        info.lines,
        json=layout,
        notes=notes,
        unpacked=info.unpacked,
    )
    return FileInfo(source, kinds)


def read(
    source: Source, start_row: int = 0, rows: int | None = None, columns: Sequence[str] | None = None
) -> Iterator[RowBatch]:
    """Yield the records of a file from the first record. All columns are read, in batches of any size."""
    layout = source.json or JsonLayout()
    folders = dict(source.file.partitions)
    schema = pa.schema([field for field in source.schema if field.name not in folders])
    found: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    first = row = size = 0
    for record, reason in _records(source.file, source.encoding or "utf-8", layout):
        row += 1
        if isinstance(record, dict):
            found.append(record)
            size += len(str(record))
        else:
            rejects.append(Reject(row, reason, _raw(record)))
        if row - first == _BATCH_RECORDS or size > _BATCH_CHARACTERS:
            yield RowBatch(lines.batch_of(found, schema, source.json_columns), first, row - first, rejects)
            found, rejects, first, size = [], [], row, 0
    if row > first:
        yield RowBatch(lines.batch_of(found, schema, source.json_columns), first, row - first, rejects)


# -- what the file holds -----------------------------------------------------------------------------------------------


def _lines_layout(file: InputFile, encoding: str) -> JsonLayout | None:
    """Return the layout if each line of the file is an object; None if the file must be parsed as a whole.

    A file with a single object on a single line is parsed as a whole if the line is too long for a row.
    """
    head, ended = b"", True
    for block in text_blocks(file, encoding):
        head += block
        if len(head) > LONGEST_ROW:
            ended = False
            break
    lines = [line.strip() for line in head.split(b"\n")]
    if not ended:
        lines = lines[:-1]
    lines = [line for line in lines[:1000] if line]
    in_array = bool(lines) and lines[0] == b"["
    if in_array:
        lines = [line for line in lines[1:] if line not in (b"]", b",")]
        return JsonLayout("array lines") if lines and _is_object(lines[0], encoding) else None
    if not lines or not _is_object(lines[0], encoding):
        return None
    return JsonLayout("array lines" if lines[0].endswith(b",") else "lines")


def _is_object(line: bytes, encoding: str) -> bool:
    try:
        value = json.loads(line.removesuffix(b",").decode(text_encoding.codec(encoding)))
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict)


def _find_records(file: InputFile, encoding: str) -> JsonLayout:
    """Return where the records of a JSON file are."""
    import ijson

    lists: dict[str, int] = {}
    depth, objects, is_array, outer = 0, 0, False, _Outer()
    for prefix, event, value in events(file, encoding, ijson.parse):
        if depth == 0:
            objects += 1
            if objects > 1:
                return JsonLayout("records", "")
            is_array = event == "start_array"
            if is_array:
                return JsonLayout("records", "item")
        if event == "start_map" and prefix.endswith("item") and prefix.split(".").count("item") == 1:
            lists[prefix] = lists.get(prefix, 0) + 1
        depth += event.startswith("start_")
        depth -= event.startswith("end_")
        outer.add(prefix, event, value)
    chosen = _chosen_list(lists)
    if chosen is None:
        return JsonLayout("records", "")
    first = outer.first_item(chosen)
    is_turn = _fields_of(first).text is not None
    fields = outer.without(chosen)
    return JsonLayout("records", chosen, json.dumps(fields, ensure_ascii=False), is_turn)


def _chosen_list(lists: dict[str, int]) -> str | None:
    """Return the prefix of the list with the records: the longest one, of several a usual name."""
    if not lists:
        return None
    usual = [one for one in lists if of_usual_name([one.split(".")[-2] if "." in one else one], USUAL_TURN_COLUMNS)]
    return max(usual or lists, key=lambda prefix: lists[prefix])


class _Outer:
    """Builds the fields of an object beside its lists of objects. A long list of objects is left out."""

    def __init__(self) -> None:
        import ijson

        self._new = ijson.ObjectBuilder
        self._builder: Any = ijson.ObjectBuilder()
        self._values = 0
        self._lists: dict[str, Any] = {}
        self._sizes: dict[str, int] = {}

    def add(self, prefix: str, event: str, value: Any) -> None:
        """Add an event of the parser."""
        parts = prefix.split(".")
        if "item" in parts:
            path = ".".join(parts[: parts.index("item")])
            size = self._sizes[path] = self._sizes.get(path, 0) + 1
            if size <= _MOST_OUTER:
                self._lists.setdefault(path, self._new()).event(event, value)
            return
        if event == "start_array":
            self._lists.setdefault(prefix, self._new()).event(event, value)
        elif event == "end_array":
            self._lists[prefix].event(event, value) if self._sizes.get(prefix, 0) <= _MOST_OUTER else None
            self._builder.event("null", None)
        else:
            self._builder.event(event, value)

    def first_item(self, chosen: str) -> dict[str, Any]:
        """Return the first item of a list of objects."""
        found = self._lists[chosen.removesuffix(".item")].value
        first = found[0] if isinstance(found, list) and found else {}
        return joined_texts(first) if isinstance(first, dict) else {}

    def without(self, chosen: str) -> dict[str, Any]:
        """Return the object without the list of the records, and without long lists of objects."""
        value: dict[str, Any] = self._builder.value
        chosen_path = chosen.removesuffix(".item")
        for path, builder in self._lists.items():
            *parents, last = path.split(".")
            holder = value
            for name in parents:
                holder = holder[name]
            if path == chosen_path or self._sizes.get(path, 0) > _MOST_OUTER:
                del holder[last]
            else:
                holder[last] = builder.value
        return {name: one for name, one in value.items() if one != {}}


# -- records -----------------------------------------------------------------------------------------------------------


def _records(file: InputFile, encoding: str, layout: JsonLayout) -> Iterator[tuple[Any, str]]:
    """Yield (record, reason why it is rejected or ""). A text in a list is a record with the field `text`."""
    import ijson

    outer = json.loads(layout.outer) if layout.outer else {}
    conversation = _conversation_of(outer) or file.short_name if layout.turns else None
    number = 0
    for value in events(file, encoding, lambda stream, **options: ijson.items(stream, layout.prefix, **options)):
        if isinstance(value, str):
            value = {"text": value}
        if not isinstance(value, dict):
            yield value, "not a JSON object"
            continue
        fault = _fault(value)
        if fault:
            yield _raw(value), fault
            continue
        number += 1
        record = joined_texts(value)
        if layout.turns:
            yield row_of(record, number, _fields_of(record), conversation, outer), ""
        else:
            yield _with_outer(record, outer), ""


def _fields_of(turn: dict[str, Any]) -> Fields:
    """Return the fields of a turn. Objects and lists are neither texts nor speakers nor times."""
    return fields_of([name for name, value in turn.items() if not isinstance(value, dict | list)])


def _conversation_of(outer: dict[str, Any]) -> Any:
    """Return the value of the conversation ID among the fields of a JSON object; None if there is none."""
    path = conversation_path(pa.schema([pa.field(name, _kind(value) or pa.string()) for name, value in outer.items()]))
    value: Any = outer
    for name in path or ():
        value = value.get(name) if isinstance(value, dict) else None
    return value if path else None


def _with_outer(record: dict[str, Any], outer: dict[str, Any]) -> dict[str, Any]:
    for name, value in outer.items():
        record[f"outer_{name}" if name in record else name] = value
    return record


def _kind(value: Any) -> pa.DataType | None:
    try:
        return kind_of(value)
    except Disagreement:
        return None


def _raw(value: Any) -> str:
    """Return the beginning of a rejected value as JSON text."""
    try:
        return json.dumps(value, ensure_ascii=False)[:READ_CHARACTERS]
    except RecursionError:
        return ""


def _fault(value: Any) -> str | None:
    """Return why an object is rejected; None if it can be read."""
    try:
        is_lone = LONE in json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "JSON that is nested too deeply"
    return "not valid Unicode (a lone surrogate)" if is_lone else None
