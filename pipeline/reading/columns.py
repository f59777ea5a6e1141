"""Chooses the text column and the column that identifies conversations."""

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.turns.rows import lists_of_turns
from emojob.schemas.arrow_text import is_string
from emojob.schemas.column_names import is_usual, listed_columns, may_be_values, shown
from emojob.schemas.columns import (
    USUAL_CONVERSATION_COLUMNS,
    USUAL_TEXT_COLUMNS,
    USUAL_TURN_COLUMNS,
    WEAK_TEXT_COLUMNS,
    of_usual_name,
)
from emojob.schemas.errors import ColumnError
from emojob.schemas.messages import counted, listed

#: (file, schema of the file).
Part = tuple[InputFile, pa.Schema]

MOST_COLUMNS = 16_384  # the limit of Excel


def check_column_count(owner: str, columns: int) -> None:
    """Check that a file or a dataset does not have too many columns.

    Args:
        owner: Name of the file or dataset, for the error message.
        columns: Number of columns.

    Raises:
        ColumnError: There are more than MOST_COLUMNS columns.
    """
    if columns > MOST_COLUMNS:
        raise ColumnError(
            f"{owner} has at least {columns:,} columns, but emojob reads at most {MOST_COLUMNS:,}; remove "
            f"columns (if the column names are IDs or dates, store the names as values of a single column)"
        )


def check_unique_names(file: InputFile, names: Sequence[str]) -> None:
    """Check that the columns of a file have different names.

    Args:
        file: The file, for the error message.
        names: Names of the columns of the file.

    Raises:
        ColumnError: A name occurs more than once.
    """
    twins = [name for name, count in Counter(names).items() if count > 1]
    if twins:
        raise ColumnError(
            f"{file.name} uses {counted(len(twins), 'column name')} more than once: {listed_columns(twins)}; rename "
            "the columns"
        )


def choose_text_column(parts: Sequence[Part], schema: pa.Schema, given: str | None) -> str:
    """Return the name of the text column.

    If `given` is None, a column is chosen if it is the only column that fulfils these conditions:
    - It is in all files, and it is not a key=value folder.
    - It contains strings.
    - Its name is in USUAL_TEXT_COLUMNS. A name in WEAK_TEXT_COLUMNS counts only if there is no other.

    Args:
        parts: (file, schema of the file) for each file.
        schema: Common schema of all files.
        given: Name from --text-column; None: choose the column by its name.

    Raises:
        ColumnError: There is no suitable column, or more than one suitable column.
    """
    names = _in_all_files(parts, schema)
    if given is not None:
        return _given_text_column(parts, schema, names, given)
    folders = {key for file, _ in parts for key, _ in file.partitions}
    usual = set(of_usual_name(names, USUAL_TEXT_COLUMNS))
    called = [name for name in names if name in usual and name not in folders]
    fitting: list[str] = [name for name in called if is_text(schema.field(name).type)]
    weak = set(of_usual_name(fitting, WEAK_TEXT_COLUMNS))
    fitting = [name for name in fitting if name not in weak] or fitting
    if len(fitting) == 1:
        return fitting[0]
    where = _where(parts)
    if fitting:
        raise ColumnError(
            f"{where}: more than one column may be the text column ({listed_columns(fitting)}); "
            f"choose the text column with --text-column NAME"
        )
    _check_different_columns(parts)
    _check_files_without_text(parts)
    wrong = "".join(f" ({shown(name)} is {schema.field(name).type})" for name in called)
    raise ColumnError(
        f"{where}: no string column has one of the usual names for text{wrong}; {_all_columns(parts, names)}; "
        f"choose the text column with --text-column NAME{_or_explode(parts, names)}{_or_add_header(parts, names)}"
    )


def _or_explode(parts: Sequence[Part], names: Sequence[str]) -> str:
    """Return what else to do if a column has a usual name of lists of turns, or a list has objects with a text.

    Such a list without a usual name is, for example, the comments of a ticket.
    """
    turns = of_usual_name(names, USUAL_TURN_COLUMNS)
    if turns:
        return f"; if {shown(turns[0])} holds lists of turns as JSON, give --explode {shown(turns[0])}"
    lists = [".".join(path) for path, _ in lists_of_turns(parts[0][1])]
    if not lists:
        return ""
    return f"; if each item of {shown(lists[0])} is an utterance, give --explode {shown(lists[0])}"


def _or_add_header(parts: Sequence[Part], names: Sequence[str]) -> str:
    """Return what else to do if the files are text, and the header may be missing."""
    if not may_be_values(names) or any(file.format not in ("csv", "tsv", "txt") for file, _ in parts):
        return ""
    return (
        "; if there is no header, add a line with the names of the columns, such as conversation_id,text; if each line "
        "is one text, give --format lines"
    )


def _check_different_columns(parts: Sequence[Part]) -> None:
    """Raise ColumnError if each file has a column with a usual name for text, but no name is in all files."""
    found: dict[str, str] = {}
    for file, own in parts:
        names = [name for name in of_usual_name(own.names, USUAL_TEXT_COLUMNS) if is_text(own.field(name).type)]
        if not names:
            return
        found.setdefault(names[0], file.short_name)
    if len(found) > 1:
        where = ", ".join(f"{name} in {file}" for name, file in list(found.items())[:3])
        raise ColumnError(
            f"the inputs have different text columns ({where}): score them separately, each with its own -o"
        )


def _check_files_without_text(parts: Sequence[Part]) -> None:
    """Raise ColumnError if some files have no column with a usual name for text, but the others have one."""
    names = {file.name: of_usual_name(own.names, USUAL_TEXT_COLUMNS) for file, own in parts}
    without = [(file, own) for file, own in parts if not names[file.name]]
    usual = next((found[0] for found in names.values() if found), "")
    if not usual or not without:
        return
    file, own = without[0]
    more = f"; {len(without) - 1:,} more inputs have none either" if len(without) > 1 else ""
    raise ColumnError(
        f"{file.name} has no column with a usual name for text (its columns are {listed_columns(own.names)}), but "
        f"{counted(len(parts) - len(without), 'other input')} "
        f"{'has' if len(parts) - len(without) == 1 else 'have'} one, such as {shown(usual)}{more}; leave it out of the "
        f"inputs, or rename its column with the texts to {shown(usual)}"
    )


def _given_text_column(parts: Sequence[Part], schema: pa.Schema, names: list[str], given: str) -> str:
    name = _given_column(parts, names, given, "--text-column")
    kind = schema.field(name).type
    if not is_text(kind):
        texts = [field.name for field in schema if is_text(field.type)]
        raise ColumnError(
            f"column {name!r} of {_where(parts)} has the type {kind}, not string; "
            f"choose a string column with --text-column NAME (string columns: {listed_columns(texts)})"
        )
    return name


def is_text(kind: pa.DataType) -> bool:
    """Return whether a type is a string type or null."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(is_string(kind) or pa.types.is_null(kind))


def choose_conversation_column(parts: Sequence[Part], schema: pa.Schema, text_column: str, given: str | None) -> str:
    """Return the name of the column that identifies conversations.

    If `given` is None, a column is chosen if it is the only column that fulfils these conditions:
    - It is in all files, and it is not the text column.
    - It contains strings, bytes or numbers.
    - Its name is in USUAL_CONVERSATION_COLUMNS.

    Args:
        parts: (file, schema of the file) for each file.
        schema: Common schema of all files.
        text_column: Name of the text column.
        given: Name from --conversation-column; None: choose the column by its name.

    Raises:
        ColumnError: There is no suitable column, or more than one suitable column.
    """
    names = _in_all_files(parts, schema)
    if given is not None:
        return _given_conversation_column(parts, schema, names, given)
    where, ask = _where(parts), "choose the column with --conversation-column NAME"
    usual = set(of_usual_name(names, USUAL_CONVERSATION_COLUMNS))
    called = [name for name in names if name in usual and name != text_column]
    fitting = [name for name in called if is_conversation(schema.field(name).type)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ColumnError(f"{where}: more than one column may hold conversation IDs ({listed_columns(fitting)}); {ask}")
    raise ColumnError(
        f"{where}: the model needs conversation IDs to find previous utterances, but no column of strings or numbers "
        f"has one of the usual names for conversation IDs; {_all_columns(parts, names)}; {ask}"
    )


def _given_conversation_column(parts: Sequence[Part], schema: pa.Schema, names: list[str], given: str) -> str:
    name = _given_column(parts, names, given, "--conversation-column")
    kind = schema.field(name).type
    if not is_conversation(kind):
        raise ColumnError(
            f"column {name!r} of {_where(parts)} has the type {kind}, which cannot identify conversations; "
            f"choose a column of strings or numbers (--conversation-column NAME); the columns are "
            f"{listed_columns(names)}"
        )
    return name


def is_conversation(kind: pa.DataType) -> bool:
    """Return whether a type can identify conversations: string, bytes, number or null."""
    if isinstance(kind, pa.BaseExtensionType):  # for example the Arrow type of UUIDs
        kind = kind.storage_type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    families = (
        is_text, pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view,
        pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal,
    )  # fmt: skip
    return any(family(kind) for family in families)


def _given_column(parts: Sequence[Part], names: list[str], given: str, option: str) -> str:
    """Return the name in `names` that equals `given` after Unicode normalization, with or without outer spaces.

    `names` are the columns that all files have. Raises ColumnError if `given` is not among these names.
    """
    wanted = unicodedata.normalize("NFC", given)
    same = [name for name in names if unicodedata.normalize("NFC", name) in (wanted, wanted.strip())]
    if given not in names and len(same) != 1:
        file, own = next(((file, own) for file, own in parts if given not in own.names), parts[0])
        close = difflib.get_close_matches(given, own.names, 1)
        hint = (
            f"did you mean {option} {listed(close)}?"
            if close and is_usual(close[0])
            else f"choose a column with {option} NAME"
        )
        other = _or_add_header([(file, own)], own.names)
        if any(given in one.names for _, one in parts):
            other = f", or leave this file out of the inputs{other}"
        raise ColumnError(
            f"{file.name} has no column {given!r}; its columns are {listed_columns(own.names)}; {hint}{other}"
        )
    return given if given in names else same[0]


def _in_all_files(parts: Sequence[Part], schema: pa.Schema) -> list[str]:
    """Return the names of the columns that all files have, in the order of the common schema."""
    everywhere = set.intersection(*(set(own.names) for _, own in parts))
    return [name for name in schema.names if name in everywhere]


def _where(parts: Sequence[Part]) -> str:
    return parts[0][0].name if len(parts) == 1 else f"{len(parts)} inputs ({parts[0][0].name}, ...)"


def _all_columns(parts: Sequence[Part], names: list[str]) -> str:
    among = "the columns" if len(parts) == 1 else "the columns that all files have"
    return f"{among} are {listed_columns(names)}"
