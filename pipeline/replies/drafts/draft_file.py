"""Writes the file with drafts (CSV, XLSX or Parquet) from its parts, and tells whether a person has changed it."""

from __future__ import annotations

import codecs
import contextlib
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emojob.pipeline.output.derived.marks import KEY
from emojob.pipeline.output.derived.records import DRAFTS, content_of
from emojob.pipeline.output.derived.writing import DerivedFile, write_bytes
from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.replies.drafts.notes import (
    About,
    Tally,
    facts,
    notes_file,
    notes_text,
    read_technical,
    statements,
)
from emojob.pipeline.replies.words import CONFIDENCE, FLAGS, NOTE, SAID_AT, SCORE
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.spreadsheet import DAMAGED, MOST_ROWS, is_as_written, workbook
from emojob.pipeline.warehouse.query import QueryResult
from emojob.pipeline.warehouse.results import write
from emojob.schemas.errors import OptionError

CSV, XLSX, PARQUET = "csv", "xlsx", "parquet"
_ENDINGS = {f".{form}": form for form in (CSV, XLSX, PARQUET)}
_FINGERPRINT = "emojob_drafts"
_FINGERPRINT_PATTERN = re.compile(rb"name=\"emojob_drafts\"[^<>]*><vt:lpwstr>([0-9a-f]+)<")
_ROW_GROUP = 65_536
_SCORES = re.compile(r" ?\(\d[^)]*\)")  # the notes of a bot may contain scores, which differ in each row
_DIGITS = 4  # of the confidence and the score in CSV and XLSX
_MOST_CHARACTERS = 16_000  # in a cell of a workbook, which holds 32,767 UTF-16 code units


@dataclass(frozen=True)
class Made:
    """What an existing file with drafts shows about itself.

    Attributes:
        fingerprint: Fingerprint of the drafts (see job.py).
        is_unchanged: Whether the file has the content that emojob wrote.
    """

    fingerprint: str
    is_unchanged: bool


def form_of(file: Path) -> str:
    """Return the format of a file with drafts: CSV, XLSX or PARQUET. Raises OptionError for another ending."""
    form = _ENDINGS.get(file.suffix.lower())
    if form is None:
        raise OptionError(f"-o {file} must end in .csv, .xlsx or .parquet; change the file name")
    return form


def check_rows(file: Path, rows: int) -> None:
    """Raise OptionError if a workbook cannot hold the rows."""
    if form_of(file) == XLSX and rows > MOST_ROWS:
        raise OptionError(
            f"-o {file}: {rows:,} conversations do not fit into a workbook, which holds {MOST_ROWS:,} rows; give a "
            "file name that ends in .csv or .parquet, or choose fewer conversations with --where"
        )


def read_made(file: Path) -> Made | None:
    """Return what an existing file with drafts shows; None if there is no file, or `emojob reply` did not write it.

    Raises:
        OSError: The file cannot be read.
    """
    if not file.is_file():
        return None
    if form_of(file) != XLSX:
        found = read_technical(notes_file(file))
        return Made(found["fingerprint"], found["content"] == content_of(file)) if found else None
    with contextlib.suppress(*DAMAGED), zipfile.ZipFile(file) as packed:
        mark = _FINGERPRINT_PATTERN.search(packed.read("docProps/custom.xml"))
        return Made(mark[1].decode(), is_as_written(packed) is True) if mark else None
    return None


def tally_of(tables: Iterable[pa.Table], tally: Tally) -> Iterator[pa.Table]:
    """Yield the parts of a file, and count their rows."""
    for table in tables:
        drafted = table.num_rows - table.column("draft_1").null_count
        tally.conversations += table.num_rows
        tally.with_draft += drafted
        for one in pc.value_counts(table.column(NOTE).drop_null()).to_pylist():
            tally.without[_SCORES.sub("", one["values"])] += one["counts"]
        yield table


class DraftFile:
    """A file with drafts that is about to be written. The files are recorded in the archive."""

    def __init__(self, archive: LabelledArchive, file: Path, fingerprint: str, note: Callable[[str], None]) -> None:
        self._form, self._file, self._fingerprint = form_of(file), file, fingerprint
        self._derived = DerivedFile(archive, file, DRAFTS, note)
        has_notes = self._form != XLSX
        self._notes = DerivedFile(archive, notes_file(file), DRAFTS, note) if has_notes else None

    def write(self, schema: pa.Schema, tables: Iterable[pa.Table], about: About) -> Tally:
        """Write the file and its notes, and return the counts. The notes come first.

        Args:
            schema: Schema of the rows.
            tables: The rows, in parts.
            about: What the notes say.

        Raises:
            ChangedError: Rows have left the archive since they were read.
            OSError: A file cannot be written.
        """
        tally = Tally()
        counted = tally_of(tables, tally)
        with atomic.draft(self._file, guard=self._derived.committing) as made:
            if self._form == XLSX:
                self._write_workbook(made.sink, schema, counted, about, tally)
            elif self._form == CSV:
                made.sink.write(codecs.BOM_UTF8)  # otherwise, Excel does not read Korean
                batches = (batch for table in counted for batch in _shown(table).to_batches())
                write(QueryResult(_shown(schema.empty_table()).schema, batches), made.sink, "csv")
            else:
                self._write_parquet(made.sink, schema, counted)
            written = made.written()
            if self._notes and written is not None:
                mark, content = self._derived.mark, content_of(written)
                write_bytes(self._notes, notes_text(about, tally, mark, self._fingerprint, content))
        return tally

    def _properties(self) -> dict[str, str]:
        return {KEY: str(self._derived.mark), _FINGERPRINT: self._fingerprint}

    def _write_parquet(self, sink: Any, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
        """Write Parquet. The row groups do not depend on the parts."""
        schema = schema.with_metadata(self._properties())
        with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
            for group in _in_groups(tables):
                writer.write_table(group.cast(schema), _ROW_GROUP)

    def _write_workbook(
        self, sink: Any, schema: pa.Schema, tables: Iterable[pa.Table], about: About, tally: Tally
    ) -> None:
        rows = (row for table in tables for row in zip(*map(_cells, _shown(table).columns), strict=True))
        with workbook(sink, self._file, self._properties()) as book:
            book.add_sheet("drafts", schema.names, rows)
            notes: list[tuple[str, str | int | None]] = [(text, None) for text in statements(about)]
            book.add_sheet("notes", ("note", "value"), iter([*notes, *facts(about, tally)]))


def _in_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Yield the rows in tables of _ROW_GROUP rows. The last table may have fewer rows."""
    rest: pa.Table | None = None
    for table in tables:
        rest = table if rest is None else pa.concat_tables([rest, table])
        while rest.num_rows >= _ROW_GROUP:
            yield rest.slice(0, _ROW_GROUP).combine_chunks()
            rest = rest.slice(_ROW_GROUP)
    if rest is not None and rest.num_rows:
        yield rest.combine_chunks()


def _shown(table: pa.Table) -> pa.Table:
    """Return a table for people: flags as one text, rounded numbers, and times in seconds."""
    for name in (CONFIDENCE, SCORE):
        rounded = pc.round(table.column(name).cast(pa.float64()), _DIGITS)
        table = table.set_column(table.schema.get_field_index(name), name, rounded)
    said_at = table.column(SAID_AT).cast(pa.timestamp("s"), safe=False)
    flags = pc.binary_join(table.column(FLAGS), ", ")
    flags = pc.if_else(pc.equal(flags, ""), pa.scalar(None, pa.string()), flags)
    for name, column in ((SAID_AT, said_at), (FLAGS, flags)):
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return table


def _cells(column: pa.ChunkedArray) -> list[Any]:
    """Return the values of a column for a workbook. A text that is too long for a cell is cut."""
    values = column.to_pylist()
    if not pa.types.is_string(column.type):
        return values  # type: ignore[no-any-return]
    return [f"{one[:_MOST_CHARACTERS]}…" if one and len(one) > _MOST_CHARACTERS else one for one in values]
