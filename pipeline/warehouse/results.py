"""Writes the result of a query as CSV, JSON or Parquet. In CSV, spreadsheet formulas are escaped."""

from __future__ import annotations

import base64
import contextlib
import datetime
import decimal
import io
import json
import math
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from emojob.pipeline.output.derived.marks import KEY
from emojob.pipeline.output.derived.writing import DerivedFile
from emojob.pipeline.output.dictionaries import compacted
from emojob.pipeline.storage.atomic import draft
from emojob.pipeline.storage.object_io import Upload
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.warehouse.query import QueryResult
from emojob.schemas.arrow_text import strings
from emojob.schemas.errors import OptionError
from emojob.schemas.messages import first_line
from emojob.schemas.sheet import FORMULA_PATTERN, escape_cell

Stream = BinaryIO | io.RawIOBase | Upload

FORMATS = ("table", "csv", "json", "parquet")

#: {file suffix: format}.
ENDINGS = {".csv": "csv", ".json": "json", ".parquet": "parquet"}


def format_of(file: AnyPath | None, given: str | None) -> str:
    """Return the format of a result.

    1. If `given` is set, return `given`.
    2. If `file` is set, return the format of the file suffix.
    3. Otherwise, return table.

    Args:
        file: File to write, or None.
        given: Value of --format, or None.

    Raises:
        OptionError: The file suffix is not in ENDINGS.
    """
    if given is not None:
        return given
    if file is None:
        return "table"
    if file.suffix.lower() not in ENDINGS:
        endings = " or ".join(ENDINGS)
        raise OptionError(f"-o {file} must end in {endings}; change the file name, or add --format")
    return ENDINGS[file.suffix.lower()]


def write_file(result: QueryResult, file: AnyPath, form: str, derived: DerivedFile | None = None) -> int:
    """Write a result to a file in one atomic step. If the query fails, the file stays unchanged.

    Args:
        result: Result of a query.
        file: File to write.
        form: csv, json or parquet.
        derived: The recorded file, if the rows come from an archive. Then a Parquet file contains the mark.

    Returns:
        Number of rows.

    Raises:
        OSError: The file cannot be written.
        OptionError: The query fails, or Parquet does not support the type of a column.
        ChangedError: Rows have left the archive since the query started.
    """
    guard = derived.committing if derived else contextlib.nullcontext
    with draft(file, guard=guard) as made:
        if form == "parquet" and derived:
            return _write_parquet(result, made.sink, {KEY: str(derived.mark)})
        return write(result, made.sink, form)


def write(result: QueryResult, stream: Stream, form: str) -> int:
    """Write a result to a stream.

    Args:
        result: Result of a query.
        stream: Binary stream.
        form: csv, json (a list with one row on each line) or parquet.

    Returns:
        Number of rows.
    """
    return {"csv": _write_csv, "json": _write_json, "parquet": _write_parquet}[form](result, stream)


def _write_csv(result: QueryResult, stream: Stream) -> int:
    rows = 0
    names = [escape_cell(name, keep_values=True) for name in result.schema.names]
    schema = pa.schema(list(zip(names, map(_csv_type, result.schema.types), strict=True)))
    with pa.csv.CSVWriter(stream, schema) as writer:
        for batch in result.batches:
            writer.write_batch(pa.RecordBatch.from_arrays(list(map(_csv_cells, batch.columns)), schema=schema))
            rows += batch.num_rows
    return rows


def _csv_type(kind: pa.DataType) -> pa.DataType:
    simple = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_date, pa.types.is_timestamp)
    return kind if any(one(kind) for one in simple) else pa.large_string()


def _csv_cells(column: pa.Array) -> pa.Array:
    """Return a column for CSV. An apostrophe is added before formulas: =1+1 becomes '=1+1."""
    if _csv_type(column.type) == column.type and not pa.types.is_large_string(column.type):
        return column
    if pa.types.is_nested(column.type) or pa.types.is_interval(column.type) or pa.types.is_binary(column.type):
        column = pa.array([None if one is None else _json(one) for one in values_of(column)], pa.large_string())
    texts = strings(column)
    risky = pc.match_substring_regex(texts, FORMULA_PATTERN)
    apostrophe, separator = pa.scalar("'", pa.large_string()), pa.scalar("", pa.large_string())
    return pc.if_else(risky, pc.binary_join_element_wise(apostrophe, texts, separator), texts)


def _write_json(result: QueryResult, stream: Stream) -> int:
    rows, separator = 0, "["
    for row in json_rows(result):
        stream.write(f"{separator}\n{_json(row)}".encode())
        rows, separator = rows + 1, ","
    stream.write(b"[]\n" if not rows else b"\n]\n")
    return rows


def json_rows(result: QueryResult) -> Iterator[dict[str, Any]]:
    """Yield each row as {column: JSON value}."""
    for batch in result.batches:
        names = batch.schema.names
        for row in zip(*map(values_of, batch.columns), strict=True):
            yield dict(zip(names, map(plain_value, row), strict=True))


def values_of(column: pa.Array) -> list[Any]:
    """Return the Python values of a column. Times that Python cannot represent become strings."""
    try:
        values: list[Any] = column.to_pylist()
    except (OverflowError, ValueError):
        return list(map(_value_of, column))
    return values


def _value_of(value: pa.Scalar) -> Any:
    try:
        return value.as_py()
    except UnicodeDecodeError:
        return bytes(value.as_buffer()).decode("utf-8", "replace")
    except (OverflowError, ValueError):
        if isinstance(value, pa.MapScalar):
            return [(_value_of(one["key"]), _value_of(one["value"])) for one in value.values]
        if isinstance(value, (pa.ListScalar, pa.LargeListScalar, pa.FixedSizeListScalar)):
            return list(map(_value_of, value.values))
        if isinstance(value, pa.StructScalar):
            return {name: _value_of(one) for name, one in value.items()}
        return str(value.cast(pa.string()))


def plain_value(value: Any) -> Any:
    """Convert a DuckDB value for JSON: times to ISO 8601, NaN and infinity to null, bytes to base64."""
    if isinstance(value, dict):
        return {str(key): plain_value(one) for key, one in value.items()}
    if isinstance(value, list) and value and all(isinstance(one, tuple) and len(one) == 2 for one in value):
        return {str(key): plain_value(one) for key, one in value}  # DuckDB's MAP is a list of (key, value)
    if isinstance(value, (list, tuple)):
        return [plain_value(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value if isinstance(value, (str, int, bool)) or value is None else str(value)


def _text_of(value: Any) -> str | None:
    return None if value is None else str(plain_value(value))


def _json(value: Any) -> str:
    text = json.dumps(plain_value(value), ensure_ascii=False)
    return text if text.isprintable() else json.dumps(plain_value(value))


def _write_parquet(result: QueryResult, stream: Stream, metadata: dict[str, str] | None = None) -> int:
    rows = 0
    # PyArrow cannot write intervals to Parquet, so intervals are written as strings.
    known = [pa.string() if pa.types.is_interval(kind) else kind for kind in result.schema.types]
    schema = pa.schema(list(zip(result.schema.names, known, strict=True)), metadata)
    try:
        writer = pq.ParquetWriter(stream, schema, compression="zstd")
    except pa.ArrowNotImplementedError as error:
        raise OptionError(
            f"Parquet does not support the type of a column ({first_line(error)}); CAST the column to VARCHAR in the "
            "query"
        ) from None
    with writer:
        for batch in result.batches:
            columns = [
                column if column.type == kind else pa.array([_text_of(one) for one in values_of(column)], kind)
                for column, kind in zip(batch.columns, known, strict=True)
            ]
            writer.write_table(compacted(pa.table(columns, schema=schema)))
            rows += batch.num_rows
    return rows
