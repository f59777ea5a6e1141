"""Writes the result of a query as CSV, JSON, Parquet or XLSX. In CSV, spreadsheet formulas are escaped.

A CSV file begins with a byte order mark, so that Excel reads Korean. CSV on standard output has none.
"""

from __future__ import annotations

import codecs
import contextlib
import io
from collections.abc import Mapping
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
from emojob.pipeline.storage.spreadsheet import workbook
from emojob.pipeline.warehouse.queries.errors import result_errors
from emojob.pipeline.warehouse.queries.values import has_far_times, json_text, plain_value, values_of
from emojob.pipeline.warehouse.query import QueryResult
from emojob.schemas.arrow_text import strings
from emojob.schemas.errors import OptionError
from emojob.schemas.messages import first_line
from emojob.schemas.sheet import FORMULA_PATTERN, escape_cell

Stream = BinaryIO | io.RawIOBase | Upload

#: {file suffix: format}.
ENDINGS = {".csv": "csv", ".json": "json", ".parquet": "parquet", ".xlsx": "xlsx"}


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
        endings = " or ".join([", ".join([*ENDINGS][:-1]), [*ENDINGS][-1]])
        raise OptionError(f"-o {file} must end in {endings}; change the file name, or add --format")
    return ENDINGS[file.suffix.lower()]


def write_file(result: QueryResult, file: AnyPath, form: str, derived: DerivedFile | None = None) -> int:
    """Write a result to a file in one atomic step. If the query fails, the file stays unchanged.

    Args:
        result: Result of a query.
        file: File to write.
        form: csv, json, parquet or xlsx.
        derived: The recorded file, if the rows come from an archive. Then a Parquet file or a workbook contains the
            mark.

    Returns:
        Number of rows.

    Raises:
        OSError: The file cannot be written.
        OptionError: The query fails, Parquet does not support the type of a column, or a sheet of a workbook cannot
            hold the rows or a text.
        ChangedError: Rows have left the archive since the query started.
    """
    guard = derived.committing if derived else contextlib.nullcontext
    with draft(file, guard=guard) as made:
        if form == "csv":
            made.sink.write(codecs.BOM_UTF8)  # otherwise, Excel does not read Korean
        mark = {KEY: str(derived.mark)} if derived else {}
        with result_errors(form):
            if form == "parquet":
                return _write_parquet(result, made.sink, mark)
            if form == "xlsx":
                return _write_xlsx(result, made.sink, file, mark)
        return write(result, made.sink, form)


def write(result: QueryResult, stream: Stream, form: str) -> int:
    """Write a result to a stream.

    Args:
        result: Result of a query.
        stream: Binary stream.
        form: csv, json (a list with one row on each line), parquet or xlsx.

    Returns:
        Number of rows.
    """
    with result_errors(form):
        writers = {"csv": _write_csv, "json": _write_json, "parquet": _write_parquet, "xlsx": _write_xlsx}
        return writers[form](result, stream)


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
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind) or _has_plain_times(column):
        return column
    texts = _texts(column)
    if _is_time(kind) or pa.types.is_decimal(kind):
        return texts
    risky = pc.match_substring_regex(texts, FORMULA_PATTERN)
    apostrophe, separator = pa.scalar("'", pa.large_string()), pa.scalar("", pa.large_string())
    return pc.if_else(risky, pc.binary_join_element_wise(apostrophe, texts, separator), texts)


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def _has_plain_times(column: pa.Array) -> bool:
    return _is_time(column.type) and not has_far_times(column)


def _texts(column: pa.Array) -> pa.Array:
    """Return the values of a column as texts."""
    kind = column.type
    if _is_time(kind) or pa.types.is_binary(kind):
        column = pa.array([None if one is None else plain_value(one) for one in values_of(column)], pa.large_string())
    elif pa.types.is_nested(kind):
        column = pa.array([_nested_text(one) for one in values_of(column)], pa.large_string())
    texts = strings(column)
    if pa.types.is_decimal(kind) and pc.any(pc.match_substring(texts, "E")).as_py():
        return pa.array([None if one is None else format(one, "f") for one in column.to_pylist()], pa.large_string())
    return texts


def _nested_text(value: Any) -> str | None:
    return (
        value if value is None or isinstance(value, str) else json_text(value)
    )  # the value of a UNION may be a string


def _write_xlsx(
    result: QueryResult, stream: Stream, file: AnyPath | None = None, properties: Mapping[str, str] | None = None
) -> int:
    rows = (row for batch in result.batches for row in zip(*map(_cells, batch.columns), strict=True))
    with workbook(stream, file, properties) as book:
        return book.add_sheet("result", result.schema.names, rows)


def _cells(column: pa.Array) -> list[Any]:
    """Return the values of a column for a workbook: numbers, plain times and texts."""
    kind = column.type
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if is_number or pa.types.is_boolean(kind) or _has_plain_times(column):
        return values_of(column)
    return _texts(column).to_pylist()  # type: ignore[no-any-return]


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
