"""Data classes for an inspected input file."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from emojob.pipeline.reading.dialect import Dialect
from emojob.pipeline.reading.inputs import InputFile
from emojob.pipeline.reading.row_batches import SplitPoint

#: {column: Arrow type, or None for a column that is kept as JSON text}. See `formats/json_types.py`.
Kinds = dict[str, pa.DataType | None]


@dataclass(frozen=True)
class Source:
    """An inspected input file.

    Attributes:
        file: The file. `file.format` is the format that the content showed.
        size: Size in bytes.
        sha256: SHA-256 of the stored bytes. For an object in an object store: "etag:" and the ETag of the object.
        schema: Columns of the file, then a string column for each key=value folder.
        encoding: utf-8, utf-8-sig or cp949; None for Parquet.
        rows: Number of rows, rejected rows included; None if the rows are not counted yet.
        lines: Number of line feeds in a text file, for an estimate of the number of rows.
        dialect: Delimiter and quoting of a CSV or TSV file; None for other formats.
        json_columns: Names of the string columns that hold JSON text.
        split_points: Rows at which reading may begin, in order.
        written: Modification time in nanoseconds since 1970; 0 if unknown.
        int96_unit: Unit in which the INT96 timestamps of a Parquet file are read: ns or us.
        form: Form of a chat, such as whatsapp-ios; None for other formats.
        notes: Messages for the user about how the file is read, without the name of the file.
    """

    file: InputFile
    size: int
    sha256: str
    schema: pa.Schema
    encoding: str | None = None
    rows: int | None = None
    lines: int = 0
    dialect: Dialect | None = None
    json_columns: tuple[str, ...] = ()
    split_points: tuple[SplitPoint, ...] = ()
    written: int = 0
    int96_unit: str = "ns"
    form: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def dialect_key(self) -> str | None:
        """Text that is equal for dialects that give the same rows; None for the usual dialect. See `Dialect.key`."""
        return self.dialect.key if self.dialect else None


@dataclass(frozen=True)
class FileInfo:
    """The result of inspecting one file.

    Attributes:
        source: The inspected file.
        kinds: Kind of each column of the file (see `json_types`); None if the file is not JSON.
    """

    source: Source
    kinds: Kinds | None = None
