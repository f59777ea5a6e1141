"""The dialect of a delimited text file: which characters separate and quote the fields, and where the header is."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Dialect:
    """How the fields of a delimited text file are written.

    Attributes:
        delimiter: Character between two fields; "" if each line is one field.
        quote: Character around a field that may contain delimiters and line ends; "" if no field is quoted.
        escape: Character before a quote inside a quoted field; "" if a field contains no quote. If it equals `quote`,
            the quote is written twice.
        skip_rows: Number of lines before the header.
        escapes_outside: Whether the escape character also has an effect outside quotes.
        doubled_cr: Whether CR CR LF is one line end.
        has_header: Whether the first row contains the names of the columns. If not, there is one column, `text`.
        width: Number of fields of a row.
        named: Number of fields of the header, if each row has more fields, which are empty. A row may also have `named`
            fields. Otherwise 0.
        ignored: Numbers of the fields that have neither a name nor a value, from 0. They are no columns.
        whole_line: Pattern that matches only lines that are rows by themselves, without the line end; "" if unknown. It
            finds rows that a stray quote would join.
        skips_spaces: Whether spaces between a delimiter and a quote are left out.
        is_usual: Whether emojob read such a file with the same dialect before completion markers named the dialect.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'
    skip_rows: int = 0
    escapes_outside: bool = False
    doubled_cr: bool = False
    has_header: bool = True
    width: int = 0
    named: int = 0
    ignored: tuple[int, ...] = ()
    whole_line: str = ""
    skips_spaces: bool = False
    is_usual: bool = True

    @property
    def key(self) -> str | None:
        """Text that is equal for dialects that give the same rows. None: the dialect is the usual one of the format."""
        if self.is_usual:
            return None
        found = [self.delimiter, self.quote, self.escape, self.skip_rows]
        more = ["spaces"] if self.skips_spaces else []
        return json.dumps([*found, self.escapes_outside, self.doubled_cr, self.has_header, self.width, *more])
