"""Opens files of different formats as one table (a dataset), and reads the dataset in row batches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from emojob.pipeline.reading.binary_text import is_binary, with_binary_texts, without_invalid_texts
from emojob.pipeline.reading.columns import check_column_count, check_unique_names, choose_text_column
from emojob.pipeline.reading.files.input_file import InputFile, PassedOver, UnknownContent
from emojob.pipeline.reading.formats import arrow, blocks, csv, parquet, workbook
from emojob.pipeline.reading.formats.chats import detection, kakaotalk, slack, whatsapp
from emojob.pipeline.reading.formats.json import document, lines, pandas_forms
from emojob.pipeline.reading.formats.json.types import add, column_type, has_json_text
from emojob.pipeline.reading.formats.json_text import json_text_note
from emojob.pipeline.reading.inputs import find_inputs
from emojob.pipeline.reading.row_batches import RowBatch, rebatch
from emojob.pipeline.reading.schema import align, common_schema
from emojob.pipeline.reading.selection import (
    choose_sources,
    passed_over_note,
    with_shape,
    with_sheets,
    with_slack_exports,
)
from emojob.pipeline.reading.source import FileInfo, Kinds, Source
from emojob.pipeline.reading.turns.nested_text import TEXT, with_text
from emojob.pipeline.reading.turns.rows import exploded, turn_counts
from emojob.pipeline.storage.paths import modified_ns
from emojob.schemas.arrow_text import is_string, strings
from emojob.schemas.column_names import has_no_header, no_header
from emojob.schemas.columns import USUAL_TEXT_COLUMNS, of_usual_name
from emojob.schemas.errors import ColumnError, DataError, NothingFound
from emojob.schemas.options import ReadOptions

_FIRST_CONVERSATIONS = 2_048
_CHECKED_HEADERS = 20  # maximum number of files
_CHECKED_TEXTS = 100  # texts of the first file
_CHECKED_ROWS = 61_440  # rows that are read at a time to check the values of a column


@dataclass(frozen=True)
class Dataset:
    """Files that are read as one table.

    Attributes:
        sources: The inspected files.
        schema: Schema of each row batch.
        text_column: Name of the text column.
        conversation_column: Name of the column that identifies conversations; None if previous utterances are not read.
        placeholders: Whether placeholders of messengers count as empty (see messengers.toml). Null markers always do.
        passed_over: Files and sheets that hold no dialogue.
    """

    sources: list[Source]
    schema: pa.Schema
    text_column: str
    conversation_column: str | None = None
    placeholders: bool = True
    passed_over: list[PassedOver] = field(default_factory=list)


#: Reason why a text file of a folder is passed over.
NO_TABLE = "text that is neither a table nor a chat with messages"

#: The options of a command without reading options.
DEFAULTS = ReadOptions()


def inspect_files(files: Sequence[InputFile], options: ReadOptions) -> Iterable[FileInfo]:
    """Inspect the files in order. See `inspect_file` for the arguments and errors."""
    return (inspect_file(file, options) for file in files)


def open_dataset(
    files: Sequence[InputFile],
    options: ReadOptions = DEFAULTS,
    inspect: Callable[[Sequence[InputFile], ReadOptions], Iterable[FileInfo]] = inspect_files,
    roles: Collection[str] = (),
) -> Dataset:
    """Inspect all files (hash, encoding, columns), and open the files as one dataset.

    Args:
        files: Input files.
        options: Options for reading. Without `text_column`, the text column is chosen by its name
            (`choose_text_column`).
        inspect: Function that inspects the files and yields the results in the order of `files`.
        roles: Names of the columns with conversations, times or speakers, if they are given.

    Raises:
        DataError: `files` is empty, or a file cannot be read.
        ColumnError: The files have no common schema, or no text column can be chosen.
        OptionError: The encoding is unknown.
    """
    sources, passed_over = open_sources(files, options, inspect)
    try:
        values = _Values(sources)
        parts = [(source.file, source.schema) for source in sources]
        parts = with_binary_texts(parts, options.text_column, {*options.as_text, *roles}, values.read)
        schema = common_schema(parts, options.as_text, values.fit)
        check_column_count("the dataset", len(schema.names))
        nested = options.text_column is not None and any(source.text_path or source.turns for source in sources)
        chosen = choose_text_column(parts, schema, TEXT if nested else options.text_column)
    except ColumnError:
        _check_headers(sources)
        raise
    if options.text_column is None:  # the first row of a file without a header may contain a usual name, such as user
        _check_headers(sources)
    sources = [replace(one, text_only=chosen) if chosen in one.json_columns else one for one in sources]
    return Dataset(sources, schema, chosen, placeholders=options.placeholders, passed_over=passed_over)


def open_table(source: Source, options: ReadOptions = DEFAULTS) -> Dataset:
    """Return a dataset of one opened file (see `open_sources`). No text column is chosen.

    Binary columns whose values are text have the type string. If this is the column `options.text_column`, or a column
    with a usual name for text, rows whose text is not valid UTF-8 are rejected.
    """
    names, read = source.schema.names, _Values([source]).read
    ((_, schema),) = with_binary_texts([(source.file, source.schema)], options.text_column, set(names), read)
    binary = [
        name for name in names if is_binary(source.schema.field(name).type) and is_string(schema.field(name).type)
    ]
    texts = [options.text_column] if options.text_column else of_usual_name(binary, USUAL_TEXT_COLUMNS)
    return Dataset([source], schema, next((name for name in texts if name in binary), ""))


def open_sources(
    files: Sequence[InputFile],
    options: ReadOptions = DEFAULTS,
    inspect: Callable[[Sequence[InputFile], ReadOptions], Iterable[FileInfo]] = inspect_files,
) -> tuple[list[Source], list[PassedOver]]:
    """Inspect all files. Return (sources with the types of their columns, files and sheets without dialogue).

    See `open_dataset`.
    """
    if not files:
        raise DataError("no input file: give a file, a folder or a glob")
    # The schema is merged from all JSON files, because a column may have integers in one file and floats in another.
    json_kinds: Kinds = {}
    sources = []
    files, passed_over = with_slack_exports(files) if options.format == "auto" else (list(files), [])
    for info in inspect(list(with_sheets(files, options, passed_over)), options):
        if info.passed_over:
            file = info.source.file
            passed_over.append(PassedOver(file.short_name, info.passed_over, file.sheet is not None))
            continue
        sources.append(info.source)
        for name, kind in (info.kinds or {}).items():
            add(json_kinds, name, kind)
    if not sources:
        raise NothingFound(f"no input holds dialogue; {passed_over_note(passed_over)[0]}")
    sources = [_with_json_columns(s, json_kinds) if s.json else s for s in sources]
    sources, others = choose_sources([with_shape(source, options) for source in sources], options)
    pandas_forms.check(sources)
    sources = [_with_turn_count(source) for source in sources]
    for source in sources:
        check_column_count(source.file.name, len(source.schema.names))
    try:
        for source in sources:
            check_unique_names(source.file, source.schema.names)
    except ColumnError:
        _check_headers(sources)
        raise
    return [_with_partitions(source) for source in sources], [*passed_over, *others]


class _Values:
    """Reads single columns of the files of a dataset, to check their values before anything is written."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = {source.file.name: source for source in sources}

    def read(self, file: InputFile, name: str) -> Iterator[pa.Array]:
        """Yield the values of a column in blocks. If the file has no such column, yield nothing."""
        for block in _blocks(self._sources[file.name], 0, _CHECKED_ROWS, [name]):
            if name in block.batch.schema.names:
                yield block.batch.column(name)

    def fit(self, file: InputFile, name: str, kind: pa.DataType) -> bool:
        """Return whether a type holds all values of a column unchanged."""
        try:
            for array in self.read(file, name):
                pc.cast(array, kind)
        except pa.ArrowException:
            return False
        return True


def _check_headers(sources: Sequence[Source]) -> None:
    """Raise ColumnError if the first line of a CSV or TSV file seems to be a row, and not a header.

    Only the first files are checked, because the files of a dataset are alike.
    """
    for source in sources[:_CHECKED_HEADERS]:
        if source.file.format in ("csv", "tsv"):
            names, rows = csv.first_rows(source)
            if has_no_header(names, rows):
                raise ColumnError(no_header(source.file.name, names))


def first_texts_note(dataset: Dataset) -> str:
    """Return a message if the first texts of a dataset are JSON; otherwise "". Raises DataError."""
    source, column = dataset.sources[0], dataset.text_column
    if source.file.format == "xlsx":  # its first rows cost as much as all rows
        return ""
    first = next(read_batches(dataset, source, rows=_CHECKED_TEXTS, columns=[column]), None)
    return "" if first is None else json_text_note(source, column, strings(first.batch.column(column)))


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
    found = _blocks(source, start_row, rows, columns)
    text = dataset.text_column
    if text in schema.names and text in source.schema.names and is_binary(source.schema.field(text).type):
        found = without_invalid_texts(found, text)
    for row_batch in rebatch(found, start_row, rows):
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
    same = source.file.member is not None or now.st_size == source.size
    if source.file.stored:
        same = now == source.file.stored
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
    dataset = open_dataset(find_inputs([given]), ReadOptions(text_column))
    columns: list[pa.Array] = []
    read = (batch for one in dataset.sources for batch in read_batches(dataset, one, columns=[dataset.text_column]))
    while sum(map(len, columns)) < rows and (row_batch := next(read, None)) is not None:
        columns.append(strings(row_batch.batch.column(dataset.text_column)))
    return pa.chunked_array(columns or [pa.array([], pa.large_string())]).slice(0, rows).combine_chunks()


def inspect_file(file: InputFile, options: ReadOptions = DEFAULTS, count_rows: bool = False) -> FileInfo:
    """Return the hash, encoding and columns of a file.

    Args:
        file: The file.
        options: Options for reading.
        count_rows: Whether to find the number of rows and the split points of a CSV or TSV file. For Parquet and JSON
            lines, the number of rows and the split points are always found.

    Raises:
        DataError: The file cannot be read.
        OptionError: The encoding is unknown.
    """
    with blocks.reading_errors(file):
        written = modified_ns(file.path)
    file = detection.with_chat_format(file, options.format)
    reader = _reader(file if file.format != "jsonl" else replace(file, format="json"))
    try:
        info: FileInfo = reader.inspect(file, options, count_rows)
    except UnknownContent as error:
        if error.format and options.format == "auto":  # the name says nothing about JSON, but the content does
            return inspect_file(replace(file, format=error.format), options, count_rows)
        if file.is_named:
            raise
        return FileInfo(Source(file, 0, "", pa.schema([])), passed_over=NO_TABLE)
    return replace(info, source=replace(info.source, written=written))


def _reader(file: InputFile) -> Any:
    """Return the module in `formats` that reads a format. See `formats/__init__.py` for its functions."""
    readers = {
        "parquet": parquet, "arrow": arrow, "csv": csv, "tsv": csv, "txt": csv, "jsonl": lines, "json": document,
        "xlsx": workbook, "kakaotalk": kakaotalk, "whatsapp": whatsapp, "slack": slack, "lines": csv,
    }  # fmt: skip
    return readers[file.format]


def _blocks(source: Source, start_row: int, rows: int, columns: Sequence[str] | None) -> Iterator[RowBatch]:
    """Yield the rows of a source from `start_row` or an earlier row. The reader decides the size of the blocks.

    Only some readers use `rows` and `columns`.
    """
    if source.turns is None and source.text_path is None:
        found: Iterator[RowBatch] = _reader(source.file).read(source, start_row, rows, columns)
        return found
    if source.turns is not None:
        return exploded(_reader(source.file).read(source.stored_form, 0, rows), source.turns)
    return with_text(_reader(source.file).read(source.stored_form, start_row, rows), source.text_path or ())


def _with_turn_count(source: Source) -> Source:
    """Return the source with an estimate of the number of turns, if each turn is a row."""
    if source.turns is None:
        return source
    first = next(iter(_reader(source.file).read(source.stored_form, 0, _FIRST_CONVERSATIONS)), None)
    if first is None or not first.batch.num_rows:
        return source
    mean = turn_counts(first.batch, source.turns).mean()
    return replace(source, lines=round((source.stored_rows or source.lines) * float(mean)))


def _with_json_columns(source: Source, json_kinds: Kinds) -> Source:
    types = {name: column_type(json_kinds[name]) for name in source.schema.names}
    schema = pa.schema([pa.field(name, kind or pa.string()) for name, kind in types.items()])
    mixed = [(name, json_kinds[name]) for name in types if types[name] is not None and json_kinds[name] is not None]
    return replace(
        source,
        schema=schema,
        json_columns=tuple(name for name, kind in types.items() if kind is None),
        json_kinds=tuple((name, kind) for name, kind in mixed if kind is not None and has_json_text(kind)),
    )


def _with_partitions(source: Source) -> Source:
    """Return the source with a string column KEY for each KEY=VALUE folder, unless the file has a column KEY."""
    own = source.schema.names
    folders = tuple((key, value) for key, value in source.file.partitions if key not in own)
    schema = source.schema
    for key, _ in folders:
        schema = schema.append(pa.field(key, pa.string()))
    return replace(source, file=replace(source.file, partitions=folders), schema=schema)
