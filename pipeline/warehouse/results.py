"""Writes the result of a query as CSV, JSON or Parquet. In CSV, spreadsheet formulas are escaped.

A CSV file begins with a byte order mark, so that Excel reads Korean. CSV on standard output has none.
"""

from __future__ import annotations

import codecs
import contextlib
import io
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
from emojob.pipeline.warehouse.queries.errors import result_errors
from emojob.pipeline.warehouse.queries.values import has_far_times, json_text, plain_value, values_of
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
        if form == "csv":
            made.sink.write(codecs.BOM_UTF8)  # otherwise, Excel does not read Korean
        if form == "parquet" and derived:
            with result_errors(form):
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
    with result_errors(form):
        return {"csv": _write_csv, "json": _write_json, "parquet": _write_parquet}[form](result, stream)


def _write_csv(result: QueryResult, stream: Stream) -> int:
    rows = 0
    names = [escape_cell(name, keep_values=True) for name in result.schema.names]
    header = pa.schema([(name, pa.large_string()) for name in names])
    pa.csv.write_csv(header.empty_table(), stream)
    for batch in result.batches:
        # A batch with times that CSV's writer cannot format has other types than the batch before.
        cells = pa.RecordBatch.from_arrays(list(map(_csv_cells, batch.columns)), names=names)
        pa.csv.write_csv(cells, stream, pa.csv.WriteOptions(include_header=False))
        rows += batch.num_rows
    return rows


def _csv_cells(column: pa.Array) -> pa.Array:
    """Return a column for CSV. An apostrophe is added before formulas: =1+1 becomes '=1+1."""
    kind = column.type
    is_time = pa.types.is_date(kind) or pa.types.is_timestamp(kind)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return column
    if is_time and not has_far_times(column):
        return column
    if is_time or pa.types.is_binary(kind):
        column = pa.array([None if one is None else plain_value(one) for one in values_of(column)], pa.large_string())
    elif pa.types.is_nested(kind):
        column = pa.array([_nested_text(one) for one in values_of(column)], pa.large_string())
    texts = strings(column)
    if pa.types.is_decimal(kind):
        has_exponents = pc.any(pc.match_substring(texts, "E")).as_py()
        return (
            pa.array([None if one is None else format(one, "f") for one in column.to_pylist()])
            if has_exponents
            else texts
        )
    risky = pc.match_substring_regex(texts, FORMULA_PATTERN)
    apostrophe, separator = pa.scalar("'", pa.large_string()), pa.scalar("", pa.large_string())
    return pc.if_else(risky, pc.binary_join_element_wise(apostrophe, texts, separator), texts)


def _nested_text(value: Any) -> str | None:
    return (
        value if value is None or isinstance(value, str) else json_text(value)
    )  # the value of a UNION may be a string


def _write_json(result: QueryResult, stream: Stream) -> int:
    rows, separator = 0, "["
    for batch in result.batches:
        names = batch.schema.names
        for row in zip(*map(values_of, batch.columns), strict=True):
            stream.write(f"{separator}\n{json_text(dict(zip(names, row, strict=True)))}".encode())
            rows, separator = rows + 1, ","
    stream.write(b"[]\n" if not rows else b"\n]\n")
    return rows


def _write_parquet(result: QueryResult, stream: Stream, metadata: dict[str, str] | None = None) -> int:
    rows = 0
    schema = result.schema.with_metadata(metadata)
    try:
        writer = pq.ParquetWriter(stream, schema, compression="zstd")
    except pa.ArrowNotImplementedError as error:
        raise OptionError(
            f"Parquet does not support the type of a column ({first_line(error)}); CAST the column to VARCHAR in the "
            "query"
        ) from None
    with writer:
        for batch in result.batches:
            writer.write_table(compacted(pa.Table.from_batches([batch]).cast(schema)))
            rows += batch.num_rows
    return rows
