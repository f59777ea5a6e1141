"""The dialect of a delimited text file: which characters separate and quote the fields, and where the header is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dialect:
    """How the fields of a delimited text file are written.

    Attributes:
        delimiter: Character between two fields.
        quote: Character around a field that may contain delimiters and line ends; "" if no field is quoted.
        escape: Character before a quote inside a quoted field. If it equals `quote`, the quote is written twice.
        skip_rows: Number of lines before the header.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'
    skip_rows: int = 0
