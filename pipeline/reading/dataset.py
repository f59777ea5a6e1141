"""Archives: files of several formats, opened as one table and read row batch by row batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from emojob.pipeline.reading.columns import check_column_count, check_unique_names, choose_text_column
from emojob.pipeline.reading.formats import blocks, csv, encoding, jsonl, parquet
from emojob.pipeline.reading.formats.json_types import Kinds, add, column_type
from emojob.pipeline.reading.inputs import InputFile, find_inputs
from emojob.pipeline.reading.row_batches import BEGINNING, RowBatch, SplitPoint, cut
from emojob.pipeline.reading.schema import align, common_schema
from emojob.pipeline.storage.object_store import ObjectInfo
from emojob.schemas.errors import DataError


@dataclass(frozen=True)
class Source:
    """One input file, looked at.

    size: bytes; sha256: of those bytes, or "etag:" and what a store calls this content; schema: as the file's rows come
    out, with the key=value folders behind as strings; encoding: utf-8, utf-8-sig or cp949 for text formats; rows: where
    known without reading, rejected ones counted; lines: of a text file, about its rows where those are not known;
    quoted: whether quotes hold fields together (CSV, TSV); json_columns: strings that hold JSON text; split_points:
    rows at which reading may begin, in order; written: when the file was, nanoseconds since 1970, 0 where unknown.
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
    """What one file shows on its own. kinds: of a JSON file's columns, whose types come when all files are known."""

    source: Source
    kinds: Kinds | None = None


@dataclass(frozen=True)
class Dataset:
    """Files that are one table.

    schema: of each row batch; text_column: the name of the column to be labelled; conversation_column: of the one that
    tells conversations apart, where they matter.
    """

    sources: list[Source]
    schema: pa.Schema
    text_column: str
    conversation_column: str | None = None


def inspect_files(files: Sequence[InputFile], encoding: str) -> Iterable[FileInfo]:
    """What each file shows, one after the other. Raises as `inspect_file` does."""
    return (inspect_file(file, encoding) for file in files)


def open_dataset(
    files: Sequence[InputFile],
    text_column: str | None = None,
    encoding: str = "auto",
    inspect: Callable[[Sequence[InputFile], str], Iterable[FileInfo]] = inspect_files,
) -> Dataset:
    """Look at every file once before anything is scored: its hash, its encoding, its columns.

    text_column: where None, the only column of a usual name (schemas.columns.USUAL_TEXT_COLUMNS) that holds text and
    stands in every file. encoding: auto, utf-8 or cp949, of the text formats. look: how the files are looked at, in
    their order. Raises DataError for a file that
    cannot be read, ColumnError for columns that do not fit together or to the text, OptionError for `encoding`.
    """
    if not files:
        raise DataError("no input file: name a file, a folder or a glob")
    json_kinds: Kinds = {}  # of all JSON files together, as the same column may be 1 in one and 1.5 in the next
    sources = []
    for one in inspect(files, encoding):
        sources.append(one.source)
        for name, kind in (one.kinds or {}).items():
            add(json_kinds, name, kind)
    sources = [_with_json_columns(s, json_kinds) if s.file.format == "jsonl" else s for s in sources]
    for source in sources:
        check_column_count(source.file.name, len(source.schema.names))
        check_unique_names(source.file, source.schema.names)
    sources = [_with_partitions(source) for source in sources]
    parts = [(source.file, source.schema) for source in sources]
    schema = common_schema(parts)
    check_column_count("the archive", len(schema.names))
    return Dataset(sources, schema, choose_text_column(parts, schema, text_column))


def read_batches(
    dataset: Dataset, source: Source, start_row: int = 0, rows: int = 61_440, columns: Sequence[str] | None = None
) -> Iterator[RowBatch]:
    """The rows of one source of an archive from `start_row` (from 0, rejected ones counted) on, in order.

    Each row batch has the archive's schema (or only `columns` of it) and at most `rows` rows, fewer where they are very
    long. No more than about a row batch is in memory. Raises DataError where the file is damaged or has changed since
    it was looked at.
    """
    check_unchanged(source)
    schema = dataset.schema
    if columns is not None:
        schema = pa.schema([field for field in schema if field.name in columns], schema.metadata)
    for row_batch in cut(_blocks(source, start_row, rows, columns), start_row, rows):
        yield replace(row_batch, batch=align(row_batch.batch, source.file, schema))
    check_unchanged(source)


def check_unchanged(source: Source) -> None:
    """Raise DataError where a file is not as it was looked at; one that was written to since is hashed again."""
    with blocks.readable(source.file):
        now = source.file.path.stat()
    same = now.st_size == source.size
    if isinstance(now, ObjectInfo):
        same = same and now == source.file.stored
    elif same and source.written and now.st_mtime_ns != source.written:
        same = blocks.digest_of(source.file) == source.sha256
    if not same:
        raise DataError(
            f"{source.file.name} has changed while it was read ({source.size:,} bytes, now {now.st_size:,}); "
            f"start again when it is complete"
        )


def first_texts(place: str, text_column: str | None, rows: int) -> pa.Array:
    """The text column's first rows of an archive, large strings. Raises as `find_inputs` and `open_dataset` do."""
    dataset = open_dataset(find_inputs([place]), text_column)
    columns: list[pa.Array] = []
    read = (
        row_batch for one in dataset.sources for row_batch in read_batches(dataset, one, columns=[dataset.text_column])
    )
    while sum(map(len, columns)) < rows and (row_batch := next(read, None)) is not None:
        columns.append(row_batch.batch.column(dataset.text_column).cast(pa.large_string()))
    return pa.chunked_array(columns or [pa.array([], pa.large_string())]).slice(0, rows).combine_chunks()


def inspect_file(file: InputFile, wanted: str, count_rows: bool = False) -> FileInfo:
    """One file, looked at on its own. wanted: its encoding; count_rows: whether its rows must be counted, to be
    read from several places.

    Raises DataError, OptionError for `wanted`.
    """
    with blocks.readable(file):
        written = file.path.stat().st_mtime_ns if isinstance(file.path, Path) else 0
    info = _inspect_file(file, wanted, count_rows)
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
    """With the file's key=value folders as columns; where the file has such a column itself, that one stays."""
    own = source.schema.names
    folders = tuple((key, value) for key, value in source.file.partitions if key not in own)
    schema = source.schema
    for key, _ in folders:
        schema = schema.append(pa.field(key, pa.string()))
    return replace(source, file=replace(source.file, partitions=folders), schema=schema)


def _blocks(source: Source, start_row: int, rows: int, columns: Sequence[str] | None) -> Iterator[RowBatch]:
    """The rows of a source as its reader gives them; only Parquet has columns that can be left unread."""
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
