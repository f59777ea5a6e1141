"""Opens files of different formats as one table (a dataset), and reads the dataset in row batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from emojob.pipeline.reading.columns import check_column_count, check_unique_names, choose_text_column
from emojob.pipeline.reading.formats import blocks, csv, encoding, jsonl, parquet
from emojob.pipeline.reading.formats.json_types import Kinds, add, column_type
from emojob.pipeline.reading.inputs import InputFile, find_inputs
from emojob.pipeline.reading.row_batches import BEGINNING, RowBatch, SplitPoint, rebatch
from emojob.pipeline.reading.schema import align, common_schema
from emojob.pipeline.storage.paths import modified_ns
from emojob.schemas.arrow_text import strings
from emojob.schemas.column_names import has_no_header, no_header
from emojob.schemas.errors import ColumnError, DataError

_CHECKED_HEADERS = 20  # maximum number of files


@dataclass(frozen=True)
class Source:
    """An inspected input file.

    Attributes:
        file: The file.
        size: Size in bytes.
        sha256: SHA-256 of the stored bytes. For an object in an object store: "etag:" and the ETag of the object.
        schema: Columns of the file, then a string column for each key=value folder.
        encoding: utf-8, utf-8-sig or cp949; None for Parquet.
        rows: Number of rows, rejected rows included; None if the rows are not counted yet.
        lines: Number of line feeds in a text file, for an estimate of the number of rows.
        quoted: Whether fields may be in quotes (CSV, TSV).
        json_columns: Names of the string columns that hold JSON text.
        split_points: Rows at which reading may begin, in order.
        written: Modification time in nanoseconds since 1970; 0 if unknown.
    """

    file: InputFile
    size: int
    sha256: str
    schema: pa.Schema
    encoding: str | None = None
    rows: int | None = None
    lines: int = 0
    quoted: bool = True
    json_columns: tuple[str, ...] = ()
    split_points: tuple[SplitPoint, ...] = ()
    written: int = 0


@dataclass(frozen=True)
class FileInfo:
    """The result of inspecting one file.

    Attributes:
        source: The inspected file.
        kinds: Kind of each column of the file (see `json_types`); None if the file is not JSON lines.
    """

    source: Source
    kinds: Kinds | None = None


@dataclass(frozen=True)
class Dataset:
    """Files that are read as one table.

    Attributes:
        sources: The inspected files.
        schema: Schema of each row batch.
        text_column: Name of the text column.
        conversation_column: Name of the column that identifies conversations; None if previous utterances are not read.
    """

    sources: list[Source]
    schema: pa.Schema
    text_column: str
    conversation_column: str | None = None


def inspect_files(files: Sequence[InputFile], encoding: str) -> Iterable[FileInfo]:
    """Inspect the files in order. See `inspect_file` for the arguments and errors."""
    return (inspect_file(file, encoding) for file in files)


def open_dataset(
    files: Sequence[InputFile],
    text_column: str | None = None,
    encoding: str = "auto",
    inspect: Callable[[Sequence[InputFile], str], Iterable[FileInfo]] = inspect_files,
) -> Dataset:
    """Inspect all files (hash, encoding, columns), and open the files as one dataset.

    Args:
        files: Input files.
        text_column: Name of the text column; None: choose the column by its name (`choose_text_column`).
        encoding: auto, utf-8 or cp949. Parquet files ignore this argument.
        inspect: Function that inspects the files and yields the results in the order of `files`.

    Raises:
        DataError: `files` is empty, or a file cannot be read.
        ColumnError: The files have no common schema, or no text column can be chosen.
        OptionError: The encoding is unknown.
    """
    if not files:
        raise DataError("no input file: give a file, a folder or a glob")
    # The schema is merged from all JSON files, because a column may have integers in one file and floats in another.
    json_kinds: Kinds = {}
    sources = []
    for info in inspect(files, encoding):
        sources.append(info.source)
        for name, kind in (info.kinds or {}).items():
            add(json_kinds, name, kind)
    sources = [_with_json_columns(s, json_kinds) if s.file.format == "jsonl" else s for s in sources]
    for source in sources:
        check_column_count(source.file.name, len(source.schema.names))
    try:
        for source in sources:
            check_unique_names(source.file, source.schema.names)
        sources = [_with_partitions(source) for source in sources]
        parts = [(source.file, source.schema) for source in sources]
        schema = common_schema(parts)
        check_column_count("the dataset", len(schema.names))
        chosen = choose_text_column(parts, schema, text_column)
    except ColumnError:
        _check_headers(sources)
        raise
    if text_column is None:  # the first row of a file without a header may contain a usual name, such as user
        _check_headers(sources)
    return Dataset(sources, schema, chosen)


def _check_headers(sources: Sequence[Source]) -> None:
    """Raise ColumnError if the first line of a CSV or TSV file seems to be a row, and not a header.

    Only the first files are checked, because the files of a dataset are alike.
    """
    for source in sources[:_CHECKED_HEADERS]:
        if source.file.format in ("csv", "tsv"):
            names, rows = csv.first_rows(source.file, source.encoding or "utf-8", source.quoted)
            if has_no_header(names, rows):
                raise ColumnError(no_header(source.file.name))


def read_batches(
    dataset: Dataset, source: Source, start_row: int = 0, rows: int = 61_440, columns: Sequence[str] | None = None
) -> Iterator[RowBatch]:
    """Read the rows of a source in order. Only about one row batch is in memory at a time.

    Args:
        dataset: The dataset. Each row batch has the schema of the dataset.
        source: The source to read.
        start_row: Number of the first row to read, from 0. Rejected rows have numbers, too.
        rows: Maximum number of rows in a batch. A batch of very long rows has fewer rows.
        columns: Names of the columns to read; None: all columns.

    Raises:
        DataError: The file is damaged, or has changed since it was inspected.
    """
    check_unchanged(source)
    schema = dataset.schema
    if columns is not None:
        schema = pa.schema([field for field in schema if field.name in columns], schema.metadata)
    for row_batch in rebatch(_blocks(source, start_row, rows, columns), start_row, rows):
        yield replace(row_batch, batch=align(row_batch.batch, source.file, schema))
    check_unchanged(source)


def check_unchanged(source: Source) -> None:
    """Check that a file has not changed since `inspect_file`.

    A local file is hashed again only if the modification time has changed.

    Raises:
        DataError: The file has changed or cannot be read.
    """
    with blocks.reading_errors(source.file):
        now, written = source.file.path.stat(), modified_ns(source.file.path)
    same = now.st_size == source.size
    if source.file.stored:
        same = same and now == source.file.stored
    elif same and source.written and written != source.written:
        same = blocks.digest_of(source.file) == source.sha256
    if not same:
        raise DataError(
            f"{source.file.name} changed while emojob was reading it ({source.size:,} bytes, now {now.st_size:,}); "
            f"start the run again when the file is complete"
        )


def first_texts(given: str, text_column: str | None, rows: int) -> pa.Array:
    """Return the first texts of a dataset: large_string [texts].

    Args:
        given: File, folder, glob or URL.
        text_column: Name of the text column; None: choose the column by its name.
        rows: Maximum number of texts.

    Raises:
        InputError: The dataset cannot be found or opened.
    """
    dataset = open_dataset(find_inputs([given]), text_column)
    columns: list[pa.Array] = []
    read = (batch for one in dataset.sources for batch in read_batches(dataset, one, columns=[dataset.text_column]))
    while sum(map(len, columns)) < rows and (row_batch := next(read, None)) is not None:
        columns.append(strings(row_batch.batch.column(dataset.text_column)))
    return pa.chunked_array(columns or [pa.array([], pa.large_string())]).slice(0, rows).combine_chunks()


def inspect_file(file: InputFile, encoding: str, count_rows: bool = False) -> FileInfo:
    """Return the hash, encoding and columns of a file.

    Args:
        file: The file.
        encoding: auto, utf-8 or cp949. Ignored for Parquet.
        count_rows: Whether to find the number of rows and the split points of a CSV or TSV file. For Parquet and JSON
            lines, the number of rows and the split points are always found.

    Raises:
        DataError: The file cannot be read.
        OptionError: The encoding is unknown.
    """
    with blocks.reading_errors(file):
        written = modified_ns(file.path)
    info = _inspect_file(file, encoding, count_rows)
    return replace(info, source=replace(info.source, written=written))


def _inspect_file(file: InputFile, wanted: str, count_rows: bool) -> FileInfo:
    if file.format == "parquet":
        content, schema, rows, split_points = parquet.inspect(file)
        return FileInfo(Source(file, content.size, content.sha256, schema, rows=rows, split_points=tuple(split_points)))
    info = encoding.inspect(file, wanted)
    source = Source(file, info.size, info.sha256, pa.schema([]), info.encoding, lines=info.lines)
    if file.format != "jsonl":
        schema, quoted = csv.inspect(file, info.encoding)
        source = replace(source, schema=schema, quoted=quoted)
        if not count_rows:
            return FileInfo(source)
        rows, split_points = csv.survey(file, info.encoding, quoted)
        return FileInfo(replace(source, rows=rows, split_points=tuple(split_points)))
    kinds, rows, split_points = jsonl.survey(file, info.encoding)
    schema = pa.schema([pa.field(name, pa.null()) for name in kinds])
    return FileInfo(replace(source, schema=schema, rows=rows, split_points=tuple(split_points)), kinds)


def _with_json_columns(source: Source, json_kinds: Kinds) -> Source:
    types = {name: column_type(json_kinds[name]) for name in source.schema.names}
    schema = pa.schema([pa.field(name, kind or pa.string()) for name, kind in types.items()])
    return replace(source, schema=schema, json_columns=tuple(name for name, kind in types.items() if kind is None))


def _with_partitions(source: Source) -> Source:
    """Return the source with a string column KEY for each KEY=VALUE folder, unless the file has a column KEY."""
    own = source.schema.names
    folders = tuple((key, value) for key, value in source.file.partitions if key not in own)
    schema = source.schema
    for key, _ in folders:
        schema = schema.append(pa.field(key, pa.string()))
    return replace(source, file=replace(source.file, partitions=folders), schema=schema)


def _blocks(source: Source, start_row: int, rows: int, columns: Sequence[str] | None) -> Iterator[RowBatch]:
    """Yield the rows in blocks. The reader of the file format decides the size of the blocks.

    Only the Parquet reader uses `rows` and `columns`.
    """
    file = source.file
    if file.format == "parquet":
        return parquet.read(file, start_row, rows, columns)
    text_encoding = source.encoding or "utf-8"
    split_point = max((one for one in source.split_points if one.row <= start_row), default=BEGINNING)
    if file.format == "jsonl":
        folders = dict(file.partitions)
        own = pa.schema([field for field in source.schema if field.name not in folders])
        return jsonl.read(file, text_encoding, own, source.json_columns, split_point)
    return csv.read(file, text_encoding, source.quoted, split_point)
