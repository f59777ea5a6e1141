"""The columns of an archive of several files: which is the text, and one schema that loses nothing of any."""

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from emojob.pipeline.reading.inputs import InputFile
from emojob.schemas.columns import USUAL_CONVERSATION_COLUMNS, USUAL_TEXT_COLUMNS
from emojob.schemas.errors import ColumnError, DataError

_MOST_LISTED = 40  # columns in a message
_LONGEST_LISTED = 60  # characters; without a header, the first row of a file passes for names
_SENTENCE = 20  # characters of a name with spaces in it

Part = tuple[InputFile, pa.Schema]

MOST_COLUMNS = 16_384  # as a spreadsheet has


def refuse_many(whose: str, columns: int) -> None:
    """Raises ColumnError where there are more than MOST_COLUMNS."""
    if columns > MOST_COLUMNS:
        raise ColumnError(
            f"{whose} has {columns:,} columns or more, and {MOST_COLUMNS:,} are the most that are read: where their "
            f"names are ids or days, write these as the values of one column"
        )


def refuse_twins(file: InputFile, names: Sequence[str]) -> None:
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
    usual = {_folded(name) for name in USUAL_TEXT_COLUMNS}
    called = [name for name in names if _folded(name) in usual and name not in folders]
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
    return bool(_is_string(kind) or pa.types.is_null(kind))


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
    usual = {_folded(name) for name in USUAL_CONVERSATION_COLUMNS}
    called = [name for name in names if _folded(name) in usual and name != text_column]
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


def listed(names: Sequence[str]) -> str:
    """Names for a message, on one line; those with commas, spaces or line ends in quotes."""
    shown = list(map(_shown, names))
    more = f", ... ({len(shown) - _MOST_LISTED} more)" if len(shown) > _MOST_LISTED else ""
    return (", ".join(shown[:_MOST_LISTED]) or "none") + more


def _in_all(parts: Sequence[Part], schema: pa.Schema) -> list[str]:
    """The columns that each of some files has, in the order of all together."""
    everywhere = set.intersection(*(set(own.names) for _, own in parts))
    return [name for name in schema.names if name in everywhere]


def _shown(name: str) -> str:
    if len(name) > _LONGEST_LISTED or (len(name) > _SENTENCE and " " in name):  # rather what somebody said
        return f"(a text of {len(name)} characters: is there no header?)"
    return name if name.isprintable() and not set(name) & set(" ,;'") and name else repr(name)


def _where(parts: Sequence[Part]) -> str:
    return parts[0][0].name if len(parts) == 1 else f"{len(parts)} inputs ({parts[0][0].name}, ...)"


def of_usual_name(names: Sequence[str], usual: Sequence[str]) -> list[str]:
    """Those of the names that are among the usual ones, compared without case, in the order of the usual ones."""
    place = {_folded(name): i for i, name in reversed(list(enumerate(usual)))}
    return sorted((name for name in names if _folded(name) in place), key=lambda name: place[_folded(name)])


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


# -- one schema ----------------------------------------------------------------------------------------------------


def common_schema(parts: Sequence[Part]) -> pa.Schema:
    """The columns of all files in the order first seen; a single file's schema as it is.

    A column's type is the narrowest that holds each file's values unchanged; one that a file lacks is nullable.
    Raises ColumnError where there is no such type.
    """
    if all(own.equals(parts[0][1], check_metadata=True) for _, own in parts):
        return parts[0][1]
    fields: dict[str, pa.Field] = {}
    first: dict[str, InputFile] = {}
    for file, own in parts:
        for field in own:
            known = fields.setdefault(field.name, field)
            kind = common_type(known.type, field.type)
            if kind is None:
                raise ColumnError(
                    f"column {field.name!r} is {known.type} in {first[field.name].name}, but {field.type} in "
                    f"{file.name}; score the two separately, or write one of them anew"
                )
            first.setdefault(field.name, file)
            fields[field.name] = known.with_type(kind).with_nullable(known.nullable or field.nullable)
    everywhere = set.intersection(*(set(own.names) for _, own in parts))
    for name, field in fields.items():
        if name not in everywhere:
            fields[name] = field.with_nullable(True)
    metadata = dict(parts[0][1].metadata or {})
    for _, own in parts:
        metadata = {key: value for key, value in metadata.items() if (own.metadata or {}).get(key) == value}
    return pa.schema(list(fields.values()), metadata or None)


def common_type(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """The narrowest type that holds the values of both unchanged, None where there is none."""
    if a.equals(b) or pa.types.is_null(b):
        return a
    if pa.types.is_null(a):
        return b
    if pa.types.is_dictionary(a) or pa.types.is_dictionary(b):
        return common_type(_values(a), _values(b))
    for family in (_text_type, _number_type, _time_type, _decimal_type):
        kind = family(a, b)
        if kind is not None:
            return kind
    lists = (pa.types.is_list, pa.types.is_large_list)
    if any(is_list(a) for is_list in lists) and any(is_list(b) for is_list in lists):
        inner = common_type(a.value_type, b.value_type)
        large = pa.types.is_large_list(a) or pa.types.is_large_list(b)
        return inner and (pa.large_list(inner) if large else pa.list_(inner))
    return None


def _values(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _text_type(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    if _is_string(a) and _is_string(b):
        return pa.large_string() if pa.large_string() in (a, b) else pa.string()
    if {a, b} == {pa.binary(), pa.large_binary()}:
        return pa.large_binary()
    return None


def _number_type(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """Integers and floats: the first type, from narrow to wide, into which both fit whole."""
    order = (
        pa.uint8(), pa.int8(), pa.uint16(), pa.int16(), pa.uint32(), pa.int32(), pa.uint64(), pa.int64(),
        pa.float16(), pa.float32(), pa.float64(),
    )  # fmt: skip
    if a not in order or b not in order:
        return None
    return next((kind for kind in order if _fits(a, kind) and _fits(b, kind)), None)


def _fits(kind: pa.DataType, into: pa.DataType) -> bool:
    """Whether a number type's values are all values of another."""
    if pa.types.is_floating(into):
        exact = {16: 11, 32: 24, 64: 53}[into.bit_width]  # bits of an integer
        return bool(kind.bit_width <= into.bit_width if pa.types.is_floating(kind) else kind.bit_width <= exact)
    if pa.types.is_floating(kind):
        return False
    if pa.types.is_signed_integer(kind) == pa.types.is_signed_integer(into):
        return bool(kind.bit_width <= into.bit_width)
    return bool(pa.types.is_signed_integer(into) and kind.bit_width < into.bit_width)


def _time_type(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """Timestamps of one zone to the finer unit, but not to nanoseconds, which end in the year 2262."""
    if not (pa.types.is_timestamp(a) and pa.types.is_timestamp(b) and a.tz == b.tz) or "ns" in (a.unit, b.unit):
        return None
    return max(a, b, key=lambda kind: ("s", "ms", "us").index(kind.unit))


def _decimal_type(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    if pa.types.is_decimal128(a) and pa.types.is_decimal128(b) and a.scale == b.scale:
        return max(a, b, key=lambda kind: kind.precision)
    return None


def align(batch: pa.RecordBatch, file: InputFile, schema: pa.Schema) -> pa.RecordBatch:
    """A file's rows with the archive's columns: put in order, widened, those that it lacks filled in.

    Raises DataError where a value does not fit, which common_schema is there to exclude.
    """
    if batch.schema.equals(schema, check_metadata=True):
        return batch
    partitions, own, arrays = dict(file.partitions), set(batch.schema.names), []
    for field in schema:
        if field.name in own:
            array = batch.column(field.name)
            arrays.append(array if array.type.equals(field.type) else _widened(array, field, file))
        elif partitions.get(field.name) is not None:
            constant = pa.repeat(pa.scalar(partitions[field.name], pa.string()), batch.num_rows)
            arrays.append(constant if constant.type.equals(field.type) else _widened(constant, field, file))
        else:
            arrays.append(pa.nulls(batch.num_rows, field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _widened(array: pa.Array, field: pa.Field, file: InputFile) -> pa.Array:
    try:
        return pc.cast(array, field.type)
    except pa.ArrowException as error:
        raise DataError(
            f"column {field.name!r} of {file.name} does not fit {field.type}; score it separately"
        ) from error


def strings(column: pa.Array) -> pa.Array:
    """A column's values as large_string, whatever they are: numbers as written, times to the second."""
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("s", column.type.tz), safe=False)
    try:
        texts = column.cast(pa.large_string())
        texts.validate(full=True)
        return texts
    except pa.ArrowNotImplementedError:  # lists and the like
        return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.large_string())
    except pa.ArrowInvalid:  # Parquet does not verify that its strings are UTF-8
        values = column.cast(pa.large_binary()).to_pylist()
        return pa.array([None if one is None else one.decode("utf-8", "replace") for one in values], pa.large_string())
