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
import functools
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa

from emojob.pipeline.reading.columns import check_column_count
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats import encoding as text_encoding
from emojob.pipeline.reading.formats.blocks import LONGEST_ROW, text_blocks
from emojob.pipeline.reading.formats.json import lines, mojibake, pandas_forms
from emojob.pipeline.reading.formats.json.rich_text import joined_texts
from emojob.pipeline.reading.formats.json.stream import LONE, LongInteger, check_depth, events
from emojob.pipeline.reading.formats.json.strict import REPEATED, StrictError, StrictObject, check, decode
from emojob.pipeline.reading.formats.json.types import Disagreement, add, kind_of
from emojob.pipeline.reading.row_batches import Reject, RowBatch
from emojob.pipeline.reading.source import FileInfo, JsonLayout, Kinds, Source
from emojob.pipeline.reading.turns.rows import FieldPath, Fields, conversation_path, fields_of, lists_of_turns, row_of
from emojob.schemas.columns import (
    READ_CHARACTERS,
    USUAL_TEXT_COLUMNS,
    USUAL_TURN_COLUMNS,
    WEAK_TEXT_COLUMNS,
    of_usual_name,
)
from emojob.schemas.errors import DataError
from emojob.schemas.options import ReadOptions

_TEXTS = tuple(name for name in USUAL_TEXT_COLUMNS if name not in WEAK_TEXT_COLUMNS)
_BATCH_RECORDS = 512
_BATCH_CHARACTERS = 4 << 20  # approximate characters of JSON in a batch
_BEGINNINGS = '{[]}"'  # a line of JSON begins with one of these characters in nearly all files
_MOST_SHOWN = 100  # columns of a file that is refused
_MOST_OUTER = 20_000  # values of an object beside its list of records


def inspect(file: InputFile, options: ReadOptions, count_rows: bool = False) -> FileInfo:
    """Return the hash, encoding, columns and number of records of a JSON file.

    Raises:
        DataError: The file is damaged, or holds no object.
    """
    info = text_encoding.inspect(file, options.encoding)
    _check_json(file, info)
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
        try:
            return _inspect_records(file, info, _find_records(file, info.encoding))
        except LongInteger:
            return _inspect_records(file, info, _find_records(file, info.encoding, long_integers=True))
    except DataError as error:
        try:  # some lines may be objects, and the others are rejected
            return lines.inspect_lines(replace(file, format="jsonl"), info, JsonLayout("array lines"))[0]
        except DataError as of_lines:
            is_array = bool(info.sample) and info.sample[0].lstrip().startswith(b"[")
            raise (of_lines if file.format == "jsonl" and not is_array else error) from None


def _check_json(file: InputFile, info: text_encoding.TextInfo) -> None:
    """Raise DataError if a text cannot be JSON: no line at its beginning begins with a bracket or a quote."""
    head = info.sample[0].decode(text_encoding.codec(info.encoding), "replace") if info.sample else ""
    found = [line for line in map(str.strip, head.splitlines()) if line]
    if not found or any(line[0] in _BEGINNINGS for line in found):
        return
    kind = "tsv" if "\t" in found[0] else "csv" if "," in found[0] else "lines"
    what = "each line is one text" if kind == "lines" else "it is a table"
    raise DataError(
        f"{file.name} is not JSON, because no line begins with {{ or [; if {what}, give --format {kind}, or correct "
        "the file"
    )


def _inspect_records(file: InputFile, info: text_encoding.TextInfo, layout: JsonLayout) -> FileInfo:
    kinds: Kinds = {}
    rows, first = 0, ""
    if layout.mojibake:
        raw = replace(layout, mojibake=False)
        values = itertools.chain([json.loads(layout.outer)], (one for one, _ in _records(file, info.encoding, raw)))
        layout = layout if mojibake.is_mojibake(values) else raw
    for record, reason in _records(file, info.encoding, layout):
        rows += 1
        first = first or reason
        if isinstance(record, dict):
            # a table of pandas is refused later; its rows may be columns here
            for name, value in itertools.islice(record.items(), _MOST_SHOWN if layout.pandas else None):
                add(kinds, name, _kind(value))
            check_column_count(file.name, len(kinds))
    if not kinds:
        why = f" (record 1: {first})" if first else ""
        raise DataError(
            f'{file.name} holds no JSON object with a field{why}; give objects such as {{"text": "..."}}, one on each '
            "line or as a list"
        )
    schema = pa.schema([pa.field(name, pa.null()) for name in kinds])
    notes = (f"one row for each item of {layout.prefix.removesuffix('.item')}",) if layout.turns else ()
    notes = (*notes, mojibake.NOTE) if layout.mojibake else notes
    source = Source(
        replace(file, format="json"),
        info.size,
        info.sha256,
        schema,
        info.encoding,
        rows,
        info.lines,
        json=layout,
        notes=(*notes, *info.notes),
        unpacked=info.unpacked,
    )
    return FileInfo(source, kinds)


def read(
    source: Source, start_row: int = 0, rows: int | None = None, columns: Sequence[str] | None = None
) -> Iterator[RowBatch]:
    """Yield the records of a file from the first record. All columns are read, in batches of any size."""
    layout = source.json or JsonLayout()
    schema = source.own_schema
    found: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    first = row = size = 0
    for record, reason in _records(source.file, source.encoding or "utf-8", layout):
        row += 1
        if isinstance(record, dict) and isinstance(record.get(source.text_only or ""), dict | list):
            record, reason = _raw(record), lines.NO_TEXT
        if isinstance(record, dict):
            found.append(record)
            size += len(str(record))
        else:
            rejects.append(Reject(row, reason, _raw(record)))
        if row - first == _BATCH_RECORDS or size > _BATCH_CHARACTERS:
            yield RowBatch(lines.batch_of(found, schema, source), first, row - first, rejects)
            found, rejects, first, size = [], [], row, 0
    if row > first:
        yield RowBatch(lines.batch_of(found, schema, source), first, row - first, rejects)


# -- what the file holds -----------------------------------------------------------------------------------------------


def _lines_layout(file: InputFile, encoding: str) -> JsonLayout | None:
    """Return the layout if each line of the file is an object; None if the file must be parsed as a whole.

    A file with a single object is parsed as a whole.
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
    lines = [line for line in lines if line][:1000]
    in_array = bool(lines) and lines[0] == b"["
    if in_array:
        lines = [line for line in lines[1:] if line not in (b"]", b",")]
        return JsonLayout("array lines") if lines and _is_object(lines[0], encoding) else None
    if not lines or not _is_object(lines[0], encoding) or (len(lines) == 1 and ended):
        return None
    return JsonLayout("array lines" if lines[0].endswith(b",") else "lines")


def _is_object(line: bytes, encoding: str) -> bool:
    try:
        value = decode(line.removesuffix(b",").decode(text_encoding.codec(encoding)))
    except StrictError:
        return line.startswith(b"{")
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict)


def _find_records(file: InputFile, encoding: str, long_integers: bool = False) -> JsonLayout:
    """Return where the records of a JSON file are."""
    import ijson

    objects, depth, outer = 0, 0, _Outer()
    for _, event, value in events(file, encoding, ijson.parse, long_integers):
        if depth == 0:
            objects += 1
            if event == "start_array":
                return JsonLayout("records", "item", long_integers=long_integers)
            if objects > 1:
                break
        depth += event.startswith("start_") - event.startswith("end_")
        outer.add(event, float(value) if isinstance(value, Decimal) else value)
    chosen = outer.chosen() if objects == 1 else []
    if not chosen:
        form = outer.pandas_form() if objects == 1 else ""
        return JsonLayout("records", "", long_integers=long_integers, pandas=form)
    is_turn = outer.has_text(chosen[0]) and bool(of_usual_name([chosen[0][-1]], USUAL_TURN_COLUMNS))
    try:
        others = outer.without(chosen)
        fields = check(others)
    except StrictError as error:
        raise DataError(f"{file.name} is JSON in which {error}; correct the file") from error
    prefixes = tuple(".".join([*path, "item"]) for path in chosen)
    is_export = mojibake.is_export(others, outer.first_item(chosen[0]))
    is_turn |= is_export  # the first message may be a photo
    return JsonLayout("records", prefixes[0], fields, is_turn, long_integers, prefixes[1:], is_export)


class _Outer:
    """Builds the fields of an object. Its lists are built apart; a list with many values is left out."""

    def __init__(self) -> None:
        import ijson

        self._new = functools.partial(ijson.ObjectBuilder, map_type=StrictObject)
        self._builder: Any = self._new()
        self._keys: list[str] = []  # the keys that lead to the current object or list
        self._opened: list[str] = []  # "map" or "array" for each object or list that is not closed
        self._lists: dict[FieldPath, Any] = {}
        self._sizes: dict[FieldPath, int] = {}
        self._objects: dict[FieldPath, int] = {}

    def add(self, event: str, value: Any) -> None:
        """Add an event of the parser."""
        in_list = "array" in self._opened
        if event == "map_key" and not in_list:
            self._keys[len(self._opened) - 1 :] = [value]
        path = tuple(self._keys[: self._opened.index("array") if in_list else len(self._opened)])
        if in_list or event == "start_array":
            self._add_to_list(path, event, value)
        else:
            self._builder.event(event, value)
        if event.startswith("start_"):
            self._opened.append(event.removeprefix("start_"))
        elif event.startswith("end_"):
            self._opened.pop()
            if event == "end_array" and "array" not in self._opened:
                self._builder.event("null", None)  # the list is put in its place at the end

    def _add_to_list(self, path: FieldPath, event: str, value: Any) -> None:
        if event == "start_map" and self._opened.count("array") == 1 and self._opened[-1] == "array":
            self._objects[path] = self._objects.get(path, 0) + 1
        size = self._sizes[path] = self._sizes.get(path, -1) + 1
        if size <= _MOST_OUTER:
            self._lists.setdefault(path, self._new()).event(event, value)

    def chosen(self) -> list[FieldPath]:
        """Return the paths of the lists with the records; [] if the object itself is the record.

        An object with a text is a record. Otherwise, the list with most objects is chosen, first among the lists with
        turns or conversations. If its objects are conversations, all lists of conversations are chosen.
        """
        value = joined_texts(self._builder.value)
        if of_usual_name([name for name, one in value.items() if isinstance(one, str)], _TEXTS):
            return []
        # ijson joins keys with dots, and calls the items of a list "item"
        clear = [path for path in self._objects if not any("." in key or key == "item" for key in path)]
        talks = [path for path in clear if self._has_turns(path)]
        turns = [path for path in clear if self.has_text(path)]
        usual = [path for path in turns if of_usual_name([path[-1]], USUAL_TURN_COLUMNS)]
        best = max(usual or talks or turns or clear, key=lambda path: self._objects[path], default=None)
        if best is None:
            return []
        return [best, *(path for path in talks if path != best)] if best in talks else [best]

    def pandas_form(self) -> str:
        """Return how pandas wrote the object: columns, index, split or series; "" if it is another object."""
        lists = {path[0]: getattr(one, "value", None) for path, one in self._lists.items() if len(path) == 1}
        value = self._builder.value
        is_flat = isinstance(value, dict) and all(len(path) == 1 for path in self._lists)
        return pandas_forms.form_of(value, lists) if is_flat else ""

    def has_text(self, path: FieldPath) -> bool:
        """Return whether the first object of a list has a text."""
        return _fields_of(self.first_item(path)).text is not None

    def _has_turns(self, path: FieldPath) -> bool:
        """Return whether the first object of a list holds a list of turns."""
        kinds = [(name, _kind(value)) for name, value in self.first_item(path).items()]
        schema = pa.schema([pa.field(name, kind) for name, kind in kinds if kind is not None])
        return any(of_usual_name([found[-1]], USUAL_TURN_COLUMNS) for found, _ in lists_of_turns(schema))

    def first_item(self, path: FieldPath) -> dict[str, Any]:
        """Return the first object of a list; {} if there is none."""
        found = getattr(self._lists[path], "value", None)
        first = found[0] if isinstance(found, list) and found else {}
        return joined_texts(first) if isinstance(first, dict) else {}

    def without(self, chosen: Sequence[FieldPath]) -> dict[str, Any]:
        """Return the object without the lists of the records, and without lists of many values."""
        value: dict[str, Any] = self._builder.value
        for path, builder in self._lists.items():
            *parents, last = path
            holder = value
            for name in parents:
                holder = holder[name]
            if path in chosen or self._sizes[path] > _MOST_OUTER:
                del holder[last]
            else:
                dict.__setitem__(holder, last, builder.value)  # the list takes the place of the null
        return {name: one for name, one in value.items() if one != {}}


# -- records -----------------------------------------------------------------------------------------------------------


def _records(file: InputFile, encoding: str, layout: JsonLayout) -> Iterator[tuple[Any, str]]:
    """Yield (record, reason why it is rejected or ""). A text in a list is a record with the field `text`."""
    import ijson

    outer = json.loads(layout.outer) if layout.outer else {}
    outer = mojibake.corrected(outer) if layout.mojibake else outer
    conversation = _conversation_of(outer) or file.short_name if layout.turns else None
    number = 0

    def items(stream: Any, **options: Any) -> Iterator[Any]:
        return iter(ijson.items(stream, next(prefixes), map_type=StrictObject, **options))

    prefixes = iter([layout.prefix, *layout.others])
    lists = (events(file, encoding, items, layout.long_integers) for _ in range(1 + len(layout.others)))
    for value in itertools.chain.from_iterable(lists):
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
        record = joined_texts(mojibake.corrected(value) if layout.mojibake else value)
        if layout.turns:
            yield row_of(record, number, _fields_of(record), conversation, outer), ""
        else:
            yield _with_outer(record, outer), ""


def _fields_of(turn: dict[str, Any]) -> Fields:
    """Return the fields of a turn. Objects and lists are neither texts nor times."""
    plain = fields_of([name for name, value in turn.items() if not isinstance(value, dict | list)])
    return replace(
        plain, speaker=plain.speaker or fields_of([n for n, v in turn.items() if isinstance(v, dict)]).speaker
    )


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
        return json.dumps(value, ensure_ascii=False, default=_shown)[:READ_CHARACTERS]
    except RecursionError:
        return ""


def _shown(value: Any) -> Any:
    """Return a value that JSON cannot hold as one that it can hold."""
    return "(a repeated key)" if value is REPEATED else float(value)


def _fault(value: Any) -> str | None:
    """Return why an object is rejected; None if it can be read."""
    try:
        is_lone = LONE in check(value)
    except RecursionError:
        return "JSON that is nested too deeply"
    except StrictError as error:
        return f"JSON in which {error}"
    return "not valid Unicode (a lone surrogate)" if is_lone else None
