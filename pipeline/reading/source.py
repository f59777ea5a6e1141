"""Data classes for an inspected input file."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa

from emojob.pipeline.reading.dialect import Dialect
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.row_batches import SplitPoint
from emojob.pipeline.reading.turns.rows import Turns

#: {column: Arrow type, or None for a column that is kept as JSON text}. See `formats/json/types.py`.
Kinds = dict[str, pa.DataType | None]


@dataclass(frozen=True)
class JsonLayout:
    """Where the records of a JSON file are.

    Attributes:
        kind: `lines`: one object on each line. `array lines`: the same, with brackets and commas of an array around.
            `records`: the file is parsed as a whole.
        prefix: Path of the records for ijson: "" for the values of the file, "item" for the items of an array.
        outer: JSON text of an object whose fields are added to each record; "" for none.
        turns: Whether each record is a turn of one conversation.
        long_integers: Whether the file has integers of more than 64 bits.
        others: Paths of further lists of records.
        mojibake: Whether texts are corrected as `formats/json/mojibake.py` describes.
        pandas: How pandas wrote a table as one object (see `formats/json/pandas_forms.py`); "" for other files.
    """

    kind: str = "lines"
    prefix: str = ""
    outer: str = ""
    turns: bool = False
    long_integers: bool = False
    others: tuple[str, ...] = ()
    mojibake: bool = False
    pandas: str = ""


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
        json: Where the records of a JSON file are; None for other formats.
        json_columns: Names of the string columns that hold JSON text.
        json_kinds: (column, kind) of the columns in which only some fields hold JSON text. See `json/types.py`.
        text_only: Name of the text column if it has values of several types: objects and lists are rejected.
        split_points: Rows at which reading may begin, in order.
        turns: Where the turns of the conversations are, if each turn becomes a row. `schema` describes these rows.
        text_path: Path of the nested text that becomes the column `text`, for example ("message", "text").
        stored_schema: Columns of the file, if `turns` or `text_path` is given.
        stored_rows: Number of conversations in the file, if `turns` is given.
        written: Modification time in nanoseconds since 1970; 0 if unknown.
        int96_unit: Unit in which the INT96 timestamps of a Parquet file are read: ns or us.
        form: Form of a chat, such as whatsapp-ios; None for other formats.
        chat: Name of a chat, which is the conversation ID of its messages; None for other formats.
        unpacked: SHA-256 of a text file after decompression; None if it is not compressed.
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
    json: JsonLayout | None = None
    json_columns: tuple[str, ...] = ()
    json_kinds: tuple[tuple[str, pa.DataType], ...] = ()
    split_points: tuple[SplitPoint, ...] = ()
    text_only: str | None = None
    turns: Turns | None = None
    text_path: tuple[str, ...] | None = None
    stored_schema: pa.Schema | None = None
    stored_rows: int | None = None
    written: int = 0
    int96_unit: str = "ns"
    form: str | None = None
    chat: str | None = None
    unpacked: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def reading_key(self) -> str | None:
        """Text that is equal if a file is read into the same rows; None if it is read in the usual way."""
        parts = [
            self.dialect.key if self.dialect else None,
            f"turns={self.turns.name}" if self.turns else None,
            f"text={'.'.join(self.text_path)}" if self.text_path else None,
            "mojibake" if self.json and self.json.mojibake else None,
        ]
        return ";".join(part for part in parts if part) or None

    @property
    def own_schema(self) -> pa.Schema:
        """The columns of the file, without the columns of key=value folders."""
        folders = dict(self.file.partitions)
        return pa.schema([field for field in self.schema if field.name not in folders])

    @property
    def stored_form(self) -> Source:
        """The source with the columns of the file, before turns become rows or a nested text becomes a column."""
        return replace(self, schema=self.stored_schema or self.schema, turns=None, text_path=None)


@dataclass(frozen=True)
class FileInfo:
    """The result of inspecting one file.

    Attributes:
        source: The inspected file.
        kinds: Kind of each column of the file (see `json/types`); None if the file is not JSON.
        passed_over: Why the file is passed over; "" if it is read.
    """

    source: Source
    kinds: Kinds | None = None
    passed_over: str = ""
