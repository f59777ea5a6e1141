"""The columns of an archive of several files: which is the text, and one schema that loses nothing of any."""

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from emojob.pipeline.reading.inputs import InputFile
from emojob.schemas.arrow_text import is_string
from emojob.schemas.columns import USUAL_CONVERSATION_COLUMNS, USUAL_TEXT_COLUMNS, of_usual_name
from emojob.schemas.errors import ColumnError
from emojob.schemas.messages import listed

Part = tuple[InputFile, pa.Schema]

MOST_COLUMNS = 16_384  # as a spreadsheet has


def check_column_count(whose: str, columns: int) -> None:
    """Raises ColumnError where there are more than MOST_COLUMNS."""
    if columns > MOST_COLUMNS:
        raise ColumnError(
            f"{whose} has {columns:,} columns or more, and {MOST_COLUMNS:,} are the most that are read: where their "
            f"names are ids or days, write these as the values of one column"
        )


def check_unique_names(file: InputFile, names: Sequence[str]) -> None:
    """Raises ColumnError where two columns of a file bear the same name."""
    twins = [name for name, count in Counter(names).items() if count > 1]
    if twins:
        raise ColumnError(f"{file.name} has {len(twins)} column name(s) more than once: {listed(twins)}; rename them")


# -- the text ------------------------------------------------------------------------------------------------------


def choose_text_column(parts: Sequence[Part], schema: pa.Schema, given: str | None) -> str:
    """The name of the column that holds the text: the one given, or the only one of a usual name that fits.

    It stands in each file and holds strings. schema: of all files together. Raises ColumnError.
    """
    names = _in_all(parts, schema)
    if given is not None:
        return _given_text_column(parts, schema, names, given)
    folders = {key for file, _ in parts for key, _ in file.partitions}
    usual = set(of_usual_name(names, USUAL_TEXT_COLUMNS))
    called = [name for name in names if name in usual and name not in folders]
    fitting: list[str] = [name for name in called if is_text(schema.field(name).type)]
    if len(fitting) == 1:
        return fitting[0]
    where = _where(parts)
    if fitting:
        raise ColumnError(f"{where}: columns {listed(fitting)} may each be the text; say which: --text-column NAME")
    wrong = "".join(f" ({name!r} is {schema.field(name).type})" for name in called)
    among = "the columns" if len(parts) == 1 else "the columns that all files have"
    raise ColumnError(
        f"{where}: no column of a usual name holds the text{wrong}; {among} are {listed(names)}; "
        f"say which: --text-column NAME"
    )


def _given_column(parts: Sequence[Part], names: list[str], given: str, option: str) -> str:
    """The column of `names`, which all files have, that is meant by `given`; raises ColumnError where there is none."""
    same = [name for name in names if unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", given)]
    if given not in names and len(same) != 1:
        file, own = next(((file, own) for file, own in parts if given not in own.names), parts[0])
        close = difflib.get_close_matches(given, own.names, 1)
        hint = f"; did you mean {option} {listed(close[:1])}?" if close else ""
        raise ColumnError(f"{file.name} has no column {given!r}; its columns are {listed(own.names)}{hint}")
    return given if given in names else same[0]


def _given_text_column(parts: Sequence[Part], schema: pa.Schema, names: list[str], given: str) -> str:
    name = _given_column(parts, names, given, "--text-column")
    kind = schema.field(name).type
    if not is_text(kind):
        texts = [field.name for field in schema if is_text(field.type)]
        raise ColumnError(
            f"column {name!r} of {_where(parts)} holds {kind}, not text; columns with text are {listed(texts)}"
        )
    return name


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds strings, or nothing but nulls."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(is_string(kind) or pa.types.is_null(kind))


def choose_conversation_column(parts: Sequence[Part], schema: pa.Schema, text_column: str, given: str | None) -> str:
    """The name of the column that tells conversations apart: the one given, or the only one of a usual name that fits.

    It stands in each file, is not the text, and holds strings, bytes or numbers. schema: of all files together.
    Raises ColumnError.
    """
    names = _in_all(parts, schema)
    where, ask = _where(parts), "say which column tells conversations apart: --conversation-column NAME"
    if given is not None:
        name = _given_column(parts, names, given, "--conversation-column")
        if not is_conversation(schema.field(name).type):
            raise ColumnError(
                f"column {name!r} of {where} holds {schema.field(name).type}, which tells no conversations apart: "
                f"give a column of strings or numbers with --conversation-column NAME; the columns are {listed(names)}"
            )
        return name
    usual = set(of_usual_name(names, USUAL_CONVERSATION_COLUMNS))
    called = [name for name in names if name in usual and name != text_column]
    fitting = [name for name in called if is_conversation(schema.field(name).type)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ColumnError(f"{where}: columns {listed(fitting)} may each tell conversations apart, {ask}")
    among = "the columns" if len(parts) == 1 else "the columns that all files have"
    raise ColumnError(
        f"{where}: the model reads each utterance with the previous one of its conversation, and no column of a usual "
        f"name holds conversations; {among} are {listed(names)}; {ask}"
    )


def is_conversation(kind: pa.DataType) -> bool:
    """Whether values of this type can tell conversations apart: strings, bytes, numbers, or nothing but nulls."""
    if isinstance(kind, pa.BaseExtensionType):  # such as a UUID
        kind = kind.storage_type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    families = (
        is_text, pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view,
        pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal,
    )  # fmt: skip
    return any(family(kind) for family in families)


def _in_all(parts: Sequence[Part], schema: pa.Schema) -> list[str]:
    """The columns that each of some files has, in the order of all together."""
    everywhere = set.intersection(*(set(own.names) for _, own in parts))
    return [name for name in schema.names if name in everywhere]


def _where(parts: Sequence[Part]) -> str:
    return parts[0][0].name if len(parts) == 1 else f"{len(parts)} inputs ({parts[0][0].name}, ...)"
