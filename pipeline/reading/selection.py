"""Chooses what is read of each file: the sheets of a workbook, the turns of conversations, a text inside a column.

Files and sheets that hold no dialogue are passed over. The messages say how the files are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from emojob.pipeline.reading.files.input_file import InputFile, PassedOver
from emojob.pipeline.reading.formats import workbook
from emojob.pipeline.reading.formats.chats.detection import SLACK_LISTS, is_slack_export
from emojob.pipeline.reading.formats.json_text import conversion
from emojob.pipeline.reading.source import Source
from emojob.pipeline.reading.turns.nested_text import find_path, nested_texts, with_text_schema
from emojob.pipeline.reading.turns.rows import (
    FieldPath,
    Fields,
    Turns,
    conversation_path,
    is_list,
    lists_of_turns,
    nested_fields,
    turns_schema,
)
from emojob.schemas.arrow_text import is_string
from emojob.schemas.column_names import listed_columns
from emojob.schemas.columns import USUAL_TEXT_COLUMNS, USUAL_TURN_COLUMNS, of_usual_name
from emojob.schemas.errors import ColumnError, OptionError
from emojob.schemas.messages import counted, first_of, listed
from emojob.schemas.options import ReadOptions

_NAMED = 3  # number of names in a message


def with_slack_exports(files: Sequence[InputFile]) -> tuple[list[InputFile], list[PassedOver]]:
    """Return (files, passed-over files). The days of a Slack export get the format `slack`; its lists are left out."""
    names: dict[str, set[str]] = {}
    for file in files:
        folder, _, name = file.name.rpartition("/")
        parent, _, channel = folder.rpartition("/")
        names.setdefault(folder, set()).add(name)
        day = names.setdefault(parent, set())
        day.add(f"{channel}/{name}")
        if file.member is None and isinstance(file.path, Path) and is_slack_export([*SLACK_LISTS, f"{channel}/{name}"]):
            # the lists of an export may lie beside its channels although only a day is an input
            day.update(one for one in SLACK_LISTS if (file.path.parent.parent / one).is_file())
    exports = {folder for folder, found in names.items() if is_slack_export(sorted(found))}
    kept, passed_over = list[InputFile](), list[PassedOver]()
    for file in files:
        folder, _, name = file.name.rpartition("/")
        if file.format == "json" and folder in exports and not file.is_named:
            passed_over.append(PassedOver(file.short_name, "a list of Slack's, without messages"))
        elif file.format == "json" and folder.rpartition("/")[0] in exports:
            kept.append(replace(file, format="slack"))
        else:
            kept.append(file)
    return (kept, passed_over) if kept else (list(files), [])


def with_sheets(
    files: Sequence[InputFile], options: ReadOptions, passed_over: list[PassedOver] | None = None
) -> Iterator[InputFile]:
    """Yield the files. A workbook is replaced by its sheets, or by the sheets of --sheet.

    Hidden sheets are added to `passed_over`, unless --sheet names them or all sheets are hidden.

    Raises:
        DataError: A workbook is unreadable.
        OptionError: A workbook has no sheet with a given name.
    """
    if options.sheets and not any(file.format == "xlsx" for file in files):
        raise OptionError(f"--sheet {options.sheets[0]}: no input is a workbook; leave out the option")
    for file in files:
        if file.format != "xlsx" or file.sheet is not None:
            yield file
            continue
        names, hidden = workbook.sheet_names(file)
        missing = [name for name in options.sheets if name not in names]
        if missing:
            raise OptionError(f"{file.name} has no sheet {missing[0]!r}; its sheets are {listed(names)}")
        shown = [name for name in names if name not in hidden] or names
        for name in names:
            if passed_over is not None and not options.sheets and name not in shown:
                passed_over.append(
                    PassedOver(f"{file.short_name}/{name}", "a hidden sheet; --sheet reads it", is_sheet=True)
                )
        for name in options.sheets or shown:
            yield replace(file, sheet=name, is_named=file.is_named and bool(options.sheets))


def choose_sources(sources: Sequence[Source], options: ReadOptions) -> tuple[list[Source], list[PassedOver]]:
    """Return (sources that hold dialogue, files and sheets that are passed over).

    A sheet, or a JSON file that is a single object, is passed over if it has no text column, and if the user did not
    name it. If no other file is left, all sources are returned.
    """
    kept, passed_over = [], []
    for source in sources:
        reason = no_dialogue(source, options)
        if reason:
            passed_over.append(PassedOver(source.file.short_name, reason, source.file.sheet is not None))
        else:
            kept.append(source)
    return (kept, passed_over) if kept else (list(sources), [])


def holds_no_dialogue(source: Source, options: ReadOptions) -> bool:
    """Return whether a file or sheet is passed over if other files are read. See `choose_sources`."""
    return no_dialogue(source, options) is not None


def no_dialogue(source: Source, options: ReadOptions) -> str | None:
    """Return why a file or sheet is passed over; None if it is read, or if the user named it."""
    if source.file.is_named:
        return None
    names = source.schema.names
    has_text = options.text_column in names if options.text_column else bool(of_usual_name(names, USUAL_TEXT_COLUMNS))
    if has_text or source.text_path:
        return None
    if source.file.sheet is not None:
        return "a sheet without a text column" if names else "an empty sheet"
    is_object = source.json is not None and source.rows == 1
    if is_object and (source.file.format == "json" or source.file.name.lower().endswith(".json")):
        return "a JSON object without a text"
    return None


# -- turns and nested texts --------------------------------------------------------------------------------------------


def with_shape(source: Source, options: ReadOptions) -> Source:
    """Return the source with its turns or its nested text, if the file has no text column at the top.

    Args:
        source: The inspected file, with the types of its columns.
        options: Options for reading.

    Raises:
        ColumnError: --explode names no list; or several lists or nested texts may hold the texts.
    """
    if source.json is not None and source.json.pandas:
        return source
    found = _find_turns(source, options)
    if found:
        path, fields = found
        stem = source.file.short_name
        turns = Turns(path, fields, conversation_path(source.schema, path), stem)
        note = f"one row for each item of {turns.name}"
        return replace(
            source, turns=turns, stored_schema=source.schema, schema=turns_schema(source.schema, turns), rows=None,
            stored_rows=source.rows, split_points=(), notes=(*source.notes, note),
        )  # fmt: skip
    path_of_text = _find_text(source, options)
    if path_of_text is None:
        return source
    schema, note = with_text_schema(source.schema, path_of_text), f"the text is {'.'.join(path_of_text)}"
    return replace(
        source, text_path=path_of_text, stored_schema=source.schema, schema=schema, notes=(*source.notes, note)
    )


def _find_turns(source: Source, options: ReadOptions) -> tuple[FieldPath, Fields | None] | None:
    schema = source.schema
    if options.explode is not None:
        return _given_turns(source, options.explode)
    if options.text_column is not None:
        return _turns_of_text(schema, options.text_column)
    if _has_text_column(schema):
        return None
    found: list[tuple[FieldPath, Fields | None]] = [
        (path, fields) for path, fields in lists_of_turns(schema) if of_usual_name([path[-1]], USUAL_TURN_COLUMNS)
    ]
    if not found and not nested_texts(schema):
        found = [
            (path, None) for path, kind in nested_fields(schema)
            if is_list(kind) and is_string(kind.value_type) and of_usual_name([path[-1]], USUAL_TURN_COLUMNS)
        ]  # fmt: skip
    if len(found) > 1:
        names = [".".join(path) for path, _ in found]
        raise ColumnError(
            f"{source.file.name}: more than one column may hold the turns of a conversation ({listed_columns(names)}); "
            "choose the column with --explode NAME"
        )
    return found[0] if found else None


def _turns_of_text(schema: pa.Schema, given: str) -> tuple[FieldPath, Fields | None] | None:
    """Return the list of turns whose text the user named, such as conversations.value; None if there is none."""
    for path, fields in lists_of_turns(schema):
        kind = dict(nested_fields(schema))[path].value_type
        inside = {
            ".".join([*path, kind.field(number).name]): kind.field(number).name for number in range(kind.num_fields)
        }
        if given in inside and given not in schema.names:
            speaker = fields.speaker if fields.speaker != inside[given] else None
            return path, replace(fields, text=inside[given], speaker=speaker)
    return None


def _given_turns(source: Source, given: str) -> tuple[FieldPath, Fields | None] | None:
    """Return the list that --explode names. Raises ColumnError if there is no such list of texts or turns."""
    kinds = {".".join(path): (path, kind) for path, kind in nested_fields(source.schema)}
    fields = dict(lists_of_turns(source.schema))
    path, kind = kinds.get(given, ((), pa.null()))
    if path in fields:
        return path, fields[path]
    if is_list(kind) and is_string(kind.value_type):
        return path, None
    lists = [".".join(path) for path, _ in lists_of_turns(source.schema)]
    if given in source.schema.names and is_string(source.schema.field(given).type):
        raise ColumnError(
            f"{source.file.name}: --explode {given!r} is a column of texts, not of lists; if they are JSON, "
            f"{conversion(source, given)}"
        )
    what = f"is {kind}, not a list of texts or of objects with a text" if path else "does not exist"
    choice = f"lists with texts: {listed_columns(lists)}" if lists else "the file has no list with texts"
    raise ColumnError(f"{source.file.name}: --explode {given!r} {what}; {choice}")


def _find_text(source: Source, options: ReadOptions) -> FieldPath | None:
    schema = source.schema
    if options.text_column is not None:
        return None if options.text_column in schema.names else find_path(schema, options.text_column)
    if _has_text_column(schema):
        return None
    found = nested_texts(schema)
    if len(found) > 1:
        names = [".".join(path) for path in found]
        raise ColumnError(
            f"{source.file.name}: more than one nested field may be the text ({listed_columns(names)}); choose the "
            "text with --text-column NAME"
        )
    return found[0] if found else None


def _has_text_column(schema: pa.Schema) -> bool:
    """Return whether a column at the top has a usual name for texts, and may hold texts."""
    usual = set(of_usual_name(schema.names, USUAL_TEXT_COLUMNS))
    return any(field.name in usual and _may_be_text(field.type) for field in schema)


def _may_be_text(kind: pa.DataType) -> bool:
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    return not is_list(plain) and not pa.types.is_struct(plain)


# -- messages ----------------------------------------------------------------------------------------------------------


def passed_over_note(passed_over: Sequence[PassedOver]) -> list[str]:
    """Return a message with up to three names and the numbers of files and sheets that are not read, or []."""
    if not passed_over:
        return []
    named = ", ".join(f"{one.name} ({one.reason})" for one in passed_over[:_NAMED])
    more = len(passed_over) - _NAMED
    sheets = sum(one.is_sheet for one in passed_over)
    counts = [(len(passed_over) - sheets, "file"), (sheets, "sheet")]
    what = " and ".join(counted(count, name) for count, name in counts if count)
    verb = "is" if len(passed_over) == 1 else "are"
    return [f"{what} {verb} passed over: {named}{f' and {more:,} more' if more > 0 else ''}"]


def same_contents_notes(sources: Iterable[Source]) -> list[str]:
    """Return a message for each group of files with the same contents."""
    files: dict[str, list[InputFile]] = {}
    for source in sources:
        if source.file.sheet is None:
            files.setdefault(source.unpacked or source.sha256, []).append(source.file)
    groups = [distinct_names(same) for same in files.values()]
    return [
        f"{names[0]} has the same contents as {listed(names[1 : 1 + _NAMED])}"
        f"{f' and {len(names) - 1 - _NAMED:,} more' if len(names) > 1 + _NAMED else ''}: each of its rows is counted "
        f"{len(names):,} times"
        for names in groups
        if len(names) > 1
    ]


def same_chats_notes(sources: Iterable[Source]) -> list[str]:
    """Return a message for each group of chats with the same name, which become one conversation."""
    chats: dict[str, dict[str, InputFile]] = {}
    for source in sources:
        if source.chat is not None:
            chats.setdefault(source.chat, {}).setdefault(source.unpacked or source.sha256, source.file)
    groups = [distinct_names(list(same.values())) for same in chats.values() if len(same) > 1]
    return [
        f"{listed(names)}: chats with the same name, so their messages are one conversation; if they are different "
        "chats, label them separately, each with its own -o"
        for names in groups
    ]


def distinct_names(files: Sequence[InputFile]) -> list[str]:
    """Return short names of files; with the folder if two names would be the same."""
    names = [file.short_name for file in files]
    if len(set(names)) == len(names):
        return names
    folders = [file.name.removesuffix(file.short_name).rstrip("/").rpartition("/")[2] for file in files]
    return [f"{folder}/{name}" for folder, name in zip(folders, names, strict=True)]


def reading_notes(sources: Iterable[Source]) -> list[str]:
    """Return the messages of the readers, each with the names of the files."""
    files: dict[str, list[str]] = {}
    for source in sources:
        for note in source.notes:
            files.setdefault(note, []).append(source.file.short_name)
    return [f"{first_of(names)}: {note}" for note, names in files.items()]
