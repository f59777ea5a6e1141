"""Annotated utterances from the user's files, whatever shape they have; the shape is seen from what is in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from emojob.pipeline.reading.inputs import InputFile
from emojob.schemas import sheet
from emojob.schemas.errors import ColumnError, DataError, OptionError
from emojob.schemas.messages import listed
from emojob.schemas.options import CONTEXTS
from emojob.training.data import aihub, published
from emojob.training.data.conversations import conversation_column, named, no_conversations, utterances_before
from emojob.training.data.files import Table, find_files, folded, in_words, read_tables
from emojob.training.data.label_map import canonical

#: What the column with the label is usually called; compared without case.
USUAL_LABEL_COLUMNS = (
    "label", "labels", "emotion", "emotions", "sentiment", "category", "class", "감정", "감정_대분류", "감정대분류",
    "감정분류", "감정_라벨", "감정라벨", "라벨", "레이블", "분류",
)  # fmt: skip


@dataclass(frozen=True)
class CorpusOptions:
    """What the user says of the files; None: seen from the files. A file of a known shape needs none of it."""

    text_column: str | None = None
    label_column: str | None = None
    conversation_column: str | None = None
    time_column: str | None = None  # conversations are put in its order; None: in the file's
    encoding: str = "auto"
    context: str = "none"

    def __post_init__(self) -> None:
        if self.context not in CONTEXTS:
            raise OptionError(f"--context {self.context!r} is unknown: give one of {', '.join(CONTEXTS)}")


@dataclass(frozen=True)
class CorpusFile:
    """Where annotated texts came from.

    name: without folder; kind: table, sheet, aihub-dialogue, aihub-sentences, kote or goemotions; rows: read, rejected
    ones counted; rejected: rows that could not be read.
    """

    name: str
    kind: str
    sha256: str
    bytes: int
    rows: int
    rejected: int


@dataclass(frozen=True)
class Corpus:
    """Annotated utterances, one a row, in the order of their files.

    given: the labels as the file names them, () where there is none; previous: the utterance before it in its
    conversation, None where there is none, or the context is none; conversations: None where a row is in none.
    """

    texts: list[str | None]
    given: list[tuple[str, ...]]
    previous: list[str | None]
    conversations: list[str | None]
    files: tuple[CorpusFile, ...]

    @property
    def rejected(self) -> int:
        """Rows that could not be read."""
        return sum(file.rejected for file in self.files)

    def summary(self) -> str:
        """One line for the terminal: the files, and what could not be read."""
        files = ", ".join(f"{file.name} ({file.kind}, {file.rows:,} rows)" for file in self.files)
        return files + (f"; {self.rejected:,} rows could not be read" if self.rejected else "")


@dataclass(frozen=True)
class _Rows:
    """The annotated utterances of one table."""

    kind: str
    texts: list[str | None]
    given: list[tuple[str, ...]]
    previous: list[str | None]
    conversations: list[str | None]
    rejected: int = 0


def read_corpus(paths: Sequence[Path], options: CorpusOptions | None = None) -> Corpus:
    """Read annotated files (CSV, TSV, Parquet, JSON, XLSX; folders and globs of them) in the order given.

    Raises DataError where a file cannot be read, ColumnError where its columns do not tell what is text and label
    or, with the context `previous`, what came before an utterance.
    """
    options = options or CorpusOptions()
    files = find_files(paths)
    if not files:
        raise DataError("no annotated file: name one, such as annotated.csv")
    read = [_read_file(file, options) for file in files]
    every = [rows for _, tables in read for rows in tables]

    def joined(lists: Iterable[list[Any]]) -> list[Any]:
        return [one for part in lists for one in part]

    return Corpus(
        texts=joined(rows.texts for rows in every),
        given=joined(rows.given for rows in every),
        previous=joined(rows.previous for rows in every),
        conversations=joined(rows.conversations for rows in every),
        files=tuple(file for file, _ in read),
    )


def _read_file(file: InputFile, options: CorpusOptions) -> tuple[CorpusFile, list[_Rows]]:
    tables = read_tables(file, options.encoding)
    found: list[_Rows] = []
    refused: ColumnError | None = None
    rows = tables[0].rejected
    for table in tables:
        try:
            found.append(_rows(table, options))
            rows += table.data.num_rows
        except ColumnError as error:  # a workbook may have other sheets beside the annotated ones
            refused = refused or error
    if refused and not found:
        raise refused
    rejected = tables[0].rejected + sum(one.rejected for one in found)
    facts = CorpusFile(file.path.name, found[0].kind, tables[0].sha256, tables[0].bytes, rows, rejected)
    return facts, found


# -- shapes --------------------------------------------------------------------------------------------------------


def _rows(table: Table, options: CorpusOptions) -> _Rows:
    """The annotated utterances of a table, by its shape. Raises ColumnError where it has none that is known."""
    if table.published:
        return _published(table, table.published, options)
    if sheet.is_sheet(table.columns):
        return _sheet(table, options)
    if _is_dialogues(table, options):
        return _dialogues(table, options)
    return _table(table, options)


def _published(table: Table, whose: str, options: CorpusOptions) -> _Rows:
    """KOTE or GoEmotions as their publishers give them."""
    if options.context == "previous":
        raise no_conversations(table)
    text, ids = (table.texts(str(place)) for place in published.PLACES[whose])
    given = published.named_labels(ids, whose, table.place)
    kept = [row for row, labels in enumerate(given) if labels is not None]
    nothing: list[str | None] = [None] * len(kept)
    return _Rows(
        whose,
        [text[row] for row in kept],
        [labels for labels in given if labels is not None],
        nothing,
        nothing,
        len(given) - len(kept),
    )


def _sheet(table: Table, options: CorpusOptions) -> _Rows:
    """A sheet of `emojob sample`, filled in."""

    def cells(column: str) -> list[str | None]:
        if column not in table.columns:
            return [None] * table.data.num_rows
        return [cell and sheet.unescape_cell(cell) for cell in table.texts(column)]

    if options.context == "previous" and sheet.PREVIOUS not in table.columns:
        raise ColumnError(
            f"{table.place} lacks the column {sheet.PREVIOUS!r}, which the context `previous` needs; fill in a sheet "
            "with all of its columns, or train with --context none"
        )
    before = cells(sheet.PREVIOUS) if options.context == "previous" else [None] * table.data.num_rows
    return _Rows(
        "sheet",
        cells(sheet.TEXT),
        _labels(table, sheet.LABEL),
        [None if text is None or not text.strip() else text for text in before],
        named(cells(sheet.CONVERSATION)),
    )


def _is_dialogues(table: Table, options: CorpusOptions) -> bool:
    """Whether a table is AI Hub's 감성대화말뭉치, and the person's first sentences are what is asked for."""
    text = table.called(aihub.PERSON[0])
    asked = options.text_column is None or folded(options.text_column) == folded(aihub.PERSON[0])
    return asked and text is not None and table.called(aihub.CLASS) is not None


def _dialogues(table: Table, options: CorpusOptions) -> _Rows:
    person, system = ([_texts_called(table, column) for column in columns] for columns in (aihub.PERSON, aihub.SYSTEM))
    label = table.called(options.label_column or aihub.CLASS)
    if label is None:
        raise ColumnError(
            f"{table.place} has no column {options.label_column!r}; its columns are {listed(table.columns)}; "
            "--label-column NAME, or leave it out"
        )
    given = _labels(table, label)
    names = [f"{table.file.path.name} {number}" for number in range(len(given))]
    if options.context == "none":
        return _Rows("aihub-dialogue", person[0], given, [None] * len(given), list(names))
    if table.called(aihub.PERSON[1]) is None:
        raise no_conversations(table)
    texts, labels, previous, conversations = [], [], [], []
    for row, (said, answered) in enumerate(zip(zip(*person, strict=True), zip(*system, strict=True), strict=True)):
        for before, text in aihub.turns(said, answered):
            texts.append(text)
            previous.append(before)
            labels.append(given[row])
            conversations.append(names[row])
    return _Rows("aihub-dialogue", texts, labels, previous, list(conversations))


def _table(table: Table, options: CorpusOptions) -> _Rows:
    """Any table with a text and a label column."""
    text_column = table.choose_text(options.text_column)
    label_column = _label_column(table, text_column, options.label_column)
    conversation = conversation_column(table, text_column, options.conversation_column, options.context)
    texts = table.texts(text_column)
    conversations: list[str | None] = [None] * len(texts)
    previous = list(conversations)
    if conversation is not None:
        conversations = named(table.texts(conversation))
        if options.context == "previous":
            previous = utterances_before(table, text_column, conversation, options.time_column)
    single = {aihub.SENTENCE, aihub.EMOTION} == {text_column, label_column}
    return _Rows("aihub-sentences" if single else "table", texts, _labels(table, label_column), previous, conversations)


# -- columns -------------------------------------------------------------------------------------------------------


def _texts_called(table: Table, name: str) -> list[str | None]:
    column = table.called(name)
    return [None] * table.data.num_rows if column is None else table.texts(column)


def _label_column(table: Table, text_column: str, given: str | None) -> str:
    """The column with the label: the one given, or the only one of a usual name. Raises ColumnError."""
    columns = listed(table.columns)
    if given is not None:
        column = given if given in table.columns else table.called(given)
        if column is None:
            raise ColumnError(f"{table.place} has no column {given!r}; its columns are {columns}; --label-column NAME")
        if column == text_column:
            raise ColumnError(f"{table.place}: column {column!r} is both text and label; say --label-column NAME")
        return column
    usual = {folded(name) for name in USUAL_LABEL_COLUMNS}
    fitting = [column for column in table.columns if folded(column) in usual and column != text_column]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ColumnError(
            f"{table.place}: columns {listed(fitting)} may each be the label; say which: --label-column NAME"
        )
    raise ColumnError(
        f"{table.place}: no column of a usual name holds the label; the columns are {columns}; "
        "say which: --label-column NAME"
    )


# -- cells ---------------------------------------------------------------------------------------------------------


def _labels(table: Table, column: str) -> list[tuple[str, ...]]:
    """The labels of each row: a text, a number or a list of them. Raises ColumnError for other columns."""
    known: dict[Any, tuple[str, ...]] = {None: ()}

    def label_tuple(value: Any) -> tuple[str, ...]:
        several = value if isinstance(value, list) else [value]
        labels = [canonical(in_words(one)) for one in several if one is not None]
        return tuple(dict.fromkeys(label for label in labels if label))

    kind = table.data.schema.field(column).type
    if pa.types.is_nested(kind) and not (_is_list(kind) and not pa.types.is_nested(kind.value_type)):
        raise ColumnError(f"{table.place}: column {column!r} holds {kind}, no labels; say which: --label-column NAME")
    keys: Callable[[Any], Any] = tuple if _is_list(kind) else lambda value: value
    found = []
    for value in table.values(column):
        key = None if value is None or value != value else keys(value)  # NaN is no label
        if key not in known:
            known[key] = label_tuple(value)
        found.append(known[key])
    return found


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))
