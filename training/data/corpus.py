"""Read annotated utterances from the user's files. The format of a file is detected from the columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emojob.pipeline.reading.files.input_file import InputFile, PassedOver
from emojob.pipeline.reading.selection import distinct_names, passed_over_note
from emojob.schemas import sheet
from emojob.schemas.column_names import listed_columns
from emojob.schemas.errors import ColumnError, DataError, OptionError
from emojob.schemas.options import CONTEXTS, ReadOptions
from emojob.training.data import aihub, published
from emojob.training.data.conversations import (
    conversation_column,
    conversation_names,
    no_conversations_error,
    previous_utterances,
)
from emojob.training.data.files import Table, find_files, folded_name, read_tables
from emojob.training.data.label_column import choose_label_column, read_labels

_NOT_ANNOTATED = "a sheet whose text or label column is missing or unclear"

#: The labels of one row, as written in the file; () if the row has no label.
RawLabels = tuple[str, ...]


@dataclass(frozen=True)
class CorpusOptions(ReadOptions):
    """Options for reading annotated files, in addition to the options for reading any file.

    Attributes:
        label_column: Name of the column with the labels. None: find a column with a usual name.
        conversation_column: Name of the column with conversation IDs. None: find a column with a usual name.
        time_column: Name of the column to sort utterances by. None: keep the order of the rows.
        context: `previous`: also read the previous utterance of each text. `none`: read only the text.
    """

    label_column: str | None = None
    conversation_column: str | None = None
    time_column: str | None = None
    context: str = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.context not in CONTEXTS:
            raise OptionError(f"--context {self.context!r} is unknown: give one of {', '.join(CONTEXTS)}")


@dataclass(frozen=True)
class CorpusFile:
    """Facts about an annotated file.

    Attributes:
        name: File name without the folder, with the member of a ZIP file. If two files have the same name, with the
            folder.
        kind: File format: table, sheet (of `emojob sample`), aihub-dialogue, aihub-sentences, kote or goemotions.
        sha256: SHA-256 hash of the file.
        bytes: Size of the file in bytes.
        rows: Number of rows, including rejected rows.
        rejected: Number of rows that could not be read.
    """

    name: str
    kind: str
    sha256: str
    bytes: int
    rows: int
    rejected: int


@dataclass(frozen=True)
class Corpus:
    """Annotated utterances of all files, in the order of the files.

    Attributes:
        texts: Utterance of each row; None if the utterance is missing.
        raw_labels: Labels of each row, as written in the file; () if the row has no label.
        previous: Previous utterance of each row; None if there is no previous utterance, or if the context is `none`.
        conversations: Conversation ID of each row; None if the row belongs to no conversation.
        files: Facts about each file.
        notes: Lines about files and sheets that are passed over, and about times that could not be read.
    """

    texts: list[str | None]
    raw_labels: list[RawLabels]
    previous: list[str | None]
    conversations: list[str | None]
    files: tuple[CorpusFile, ...]
    notes: tuple[str, ...] = ()

    @property
    def rejected(self) -> int:
        """Total number of rows that could not be read."""
        return sum(file.rejected for file in self.files)

    def summary(self) -> str:
        """Return one line for the terminal: the files, and the number of rows that could not be read."""
        files = ", ".join(f"{file.name} ({file.kind}, {file.rows:,} rows)" for file in self.files)
        return files + (f"; {self.rejected:,} rows could not be read" if self.rejected else "")


@dataclass(frozen=True)
class _Rows:
    """The annotated utterances of one table. The fields have the same meaning as in CorpusFile and Corpus."""

    kind: str
    texts: list[str | None]
    raw_labels: list[RawLabels]
    previous: list[str | None]
    conversations: list[str | None]
    rejected: int = 0
    notes: tuple[str, ...] = ()


def read_corpus(paths: Sequence[Path], options: CorpusOptions | None = None) -> Corpus:
    """Read annotated files (CSV, TSV, Parquet, JSON, XLSX) in the given order.

    Args:
        paths: Paths of files or folders, or glob patterns.
        options: Columns, encoding and context. None: use the defaults.

    Raises:
        DataError: A file cannot be read, or no file is given.
        ColumnError: The text, label or conversation column of a file is missing or ambiguous.
    """
    options = options or CorpusOptions()
    passed_over: list[PassedOver] = []
    files = find_files(paths, passed_over)
    if not files:
        raise DataError("no annotated file is given; give at least one file, for example annotated.csv")
    each = [
        _read_file(file, name, options, passed_over) for file, name in zip(files, distinct_names(files), strict=True)
    ]
    read = [one for one in each if one]
    over = passed_over_note(passed_over)
    if not read:
        raise DataError(f"no file is annotated data; {over[0]}")
    tables = [rows for _, of_file in read for rows in of_file]

    def joined(lists: Iterable[list[Any]]) -> list[Any]:
        return [value for values in lists for value in values]

    return Corpus(
        texts=joined(rows.texts for rows in tables),
        raw_labels=joined(rows.raw_labels for rows in tables),
        previous=joined(rows.previous for rows in tables),
        conversations=joined(rows.conversations for rows in tables),
        files=tuple(file for file, _ in read),
        notes=(*over, *(note for rows in tables for note in rows.notes)),
    )


def _read_file(
    file: InputFile, name: str, options: CorpusOptions, passed_over: list[PassedOver]
) -> tuple[CorpusFile, list[_Rows]] | None:
    """Return the annotated utterances of a file; None if the file is passed over."""
    tables = read_tables(file, options, passed_over)
    if not tables:
        return None
    annotated: list[_Rows] = []
    first_error: ColumnError | None = None
    others: list[PassedOver] = []
    rows = tables[0].rejected
    for table in tables:
        try:
            annotated.append(_rows(table, options))
            rows += table.data.num_rows
        except ColumnError as error:  # a workbook may also contain sheets without labels
            first_error = first_error or error
            others.append(PassedOver(table.short_name, _NOT_ANNOTATED, table.sheet is not None))
    if first_error and not annotated:
        raise first_error
    passed_over += others
    rejected = tables[0].rejected + sum(one.rejected for one in annotated)
    facts = CorpusFile(name, annotated[0].kind, tables[0].sha256, tables[0].bytes, rows, rejected)
    return facts, annotated


# -- kinds of tables -----------------------------------------------------------------------------------------------


def _rows(table: Table, options: CorpusOptions) -> _Rows:
    """Return the annotated utterances of a table. Raises ColumnError if a required column is missing."""
    if table.publisher:
        return _published_rows(table, table.publisher, options)
    if sheet.is_sheet(table.columns):
        return _sheet_rows(table, options)
    if _is_dialogues(table, options):
        return _dialogue_rows(table, options)
    return _table_rows(table, options)


def _published_rows(table: Table, publisher: str, options: CorpusOptions) -> _Rows:
    """Read a file of KOTE or GoEmotions in the published format."""
    if options.context == "previous":
        raise no_conversations_error(table)
    texts, ids = (table.texts(str(column)) for column in published.TEXT_AND_IDS[publisher])
    labels = published.named_labels(ids, publisher, table.name)
    kept = [row for row, names in enumerate(labels) if names is not None]
    nothing: list[str | None] = [None] * len(kept)
    return _Rows(
        publisher,
        [texts[row] for row in kept],
        [names for names in labels if names is not None],
        nothing,
        nothing,
        len(labels) - len(kept),
    )


def _sheet_rows(table: Table, options: CorpusOptions) -> _Rows:
    """Read an annotation sheet of `emojob sample`."""

    def cells(column: str) -> list[str | None]:
        if column not in table.columns:
            return [None] * table.data.num_rows
        return [cell and sheet.unescape_cell(cell) for cell in table.texts(column)]

    with_previous = options.context == "previous"
    if with_previous and sheet.PREVIOUS not in table.columns:
        raise ColumnError(
            f"{table.name} lacks the column {sheet.PREVIOUS!r}, but the context `previous` needs this column; give an "
            "annotation sheet with all columns that `emojob sample` wrote, or train with --context none"
        )
    previous = cells(sheet.PREVIOUS) if with_previous else [None] * table.data.num_rows
    return _Rows(
        "sheet",
        cells(sheet.TEXT),
        read_labels(table, sheet.LABEL),
        [None if text is None or not text.strip() else text for text in previous],
        conversation_names(cells(sheet.CONVERSATION)),
    )


def _is_dialogues(table: Table, options: CorpusOptions) -> bool:
    """Return whether a table is AI Hub's 감성대화말뭉치; False if the user chose a text column other than 사람문장1."""
    text = table.find_column(aihub.PERSON[0])
    is_wanted = options.text_column is None or folded_name(options.text_column) == folded_name(aihub.PERSON[0])
    return is_wanted and text is not None and table.find_column(aihub.CLASS) is not None


def _dialogue_rows(table: Table, options: CorpusOptions) -> _Rows:
    """Read AI Hub's 감성대화말뭉치.

    The sentences of the person (not the answers of the system) become texts. With the context `previous`, all these
    sentences are read. Otherwise, only the first sentence of each dialogue is read.
    """
    person, system = ([_texts_of(table, column) for column in columns] for columns in (aihub.PERSON, aihub.SYSTEM))
    label = table.find_column(options.label_column or aihub.CLASS)
    if label is None:
        raise ColumnError(
            f"{table.name} has no column {options.label_column!r}; its columns are {listed_columns(table.columns)}; "
            f"give one of these columns with --label-column NAME, or omit --label-column to use {aihub.CLASS}"
        )
    labels = read_labels(table, label)
    if options.context == "none":
        nothing: list[str | None] = [None] * len(labels)
        return _Rows("aihub-dialogue", person[0], labels, nothing, nothing)
    # not the row number, because added dialogues change row numbers, and `splits` depends on the conversation
    names = [text or f"{table.file.path.name} {number}" for number, text in enumerate(person[0])]
    if table.find_column(aihub.PERSON[1]) is None:
        raise no_conversations_error(table)
    rows = _Rows("aihub-dialogue", [], [], [], [])
    for row, (sentences, answers) in enumerate(zip(zip(*person, strict=True), zip(*system, strict=True), strict=True)):
        for previous, text in aihub.turns(sentences, answers):
            rows.texts.append(text)
            rows.raw_labels.append(labels[row])
            rows.previous.append(previous)
            rows.conversations.append(names[row])
    return rows


def _table_rows(table: Table, options: CorpusOptions) -> _Rows:
    """Read a table with a text column and a label column."""
    text_column = table.choose_text(options.text_column)
    label_column = choose_label_column(table, text_column, options.label_column)
    conversation = conversation_column(table, text_column, options.conversation_column, options.context)
    texts = table.texts(text_column)
    conversations: list[str | None] = [None] * len(texts)
    previous, note = list(conversations), None
    if conversation is not None:
        conversations = conversation_names(table.texts(conversation))
        if options.context == "previous":
            previous, note = previous_utterances(
                table, text_column, conversation, options.time_column, options.date_order
            )
    kind = "aihub-sentences" if {aihub.SENTENCE, aihub.EMOTION} == {text_column, label_column} else "table"
    labels = read_labels(table, label_column)
    return _Rows(kind, texts, labels, previous, conversations, notes=() if note is None else (note,))


def _texts_of(table: Table, name: str) -> list[str | None]:
    """Return the texts of a column. If the table does not have the column, every text is None."""
    column = table.find_column(name)
    return [None] * table.data.num_rows if column is None else table.texts(column)
