"""Reads chats that WhatsApp exports as text (.txt), on Android and on iOS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emojob.pipeline.reading.files.input_file import InputFile, UnknownContent
from emojob.pipeline.reading.formats import encoding as text_encoding
from emojob.pipeline.reading.formats.chats import stamps
from emojob.pipeline.reading.formats.chats.forms import FORMS, Form
from emojob.pipeline.reading.formats.chats.lines import Lines, read_lines
from emojob.pipeline.reading.formats.chats.messages import SCHEMA, name_from_file, notes_about
from emojob.pipeline.reading.formats.chats.transcript import Transcript, choose_form
from emojob.pipeline.reading.row_batches import RowBatch
from emojob.pipeline.reading.source import FileInfo, Source
from emojob.schemas.options import DATE_ORDERS, ReadOptions

_FIRST_DAY = np.datetime64("2009-01-01")  # the year in which WhatsApp appeared
# Dates that may begin with the year: 2026/11/20, and in Korean 26. 11. 20.
_YEAR_FIRST = r"^[^0-9]*(?:[0-9]{4}|[0-9]{2}(?:\. |년))"
_TOLERATED = 0.01  # maximum share of days that do not exist in an order


def inspect(file: InputFile, options: ReadOptions, count_rows: bool = False) -> FileInfo:
    """Return the hash, encoding, form, order of dates and number of messages of a chat. The whole file is read.

    Raises:
        DataError: The file is damaged, or no line is a message of WhatsApp.
    """
    info = text_encoding.inspect(file, options.encoding)
    groups = read_lines(file, info.encoding)
    form = next(filter(None, (choose_form(group.texts, "whatsapp") for group in groups)), None)
    if form is None:
        raise UnknownContent(
            f"{file.name} has no message of WhatsApp, such as `20/11/2026, 15:10 - NAME: TEXT` or `[20/11/26, "
            "15:10:11] NAME: TEXT`; export the chat again, or give --format lines if each line is one text"
        )
    order, doubt = date_order(form, read_lines(file, info.encoding))
    if options.date_order is not None:
        order, doubt = options.date_order, ""
    source = Source(file, info.size, info.sha256, SCHEMA, info.encoding, lines=info.lines, form=f"{form.name} {order}")
    transcript = Transcript(form, name_from_file(file), order)
    for _ in transcript.read(read_lines(file, info.encoding)):
        pass
    notes = (*notes_about(form.title, transcript.tally), *([doubt] if doubt else []))
    notes = (*notes, *info.notes)
    return FileInfo(replace(source, rows=transcript.tally.messages, chat=transcript.name, notes=notes))


def read(
    source: Source, start_row: int = 0, rows: int | None = None, columns: Sequence[str] | None = None
) -> Iterator[RowBatch]:
    """Yield the messages of a chat, from the first one."""
    form, order = str(source.form).rsplit(" ", 1)
    transcript = Transcript(FORMS[form], name_from_file(source.file), order)
    yield from transcript.read(read_lines(source.file, source.encoding or "utf-8"))


def date_order(form: Form, groups: Iterable[Lines]) -> tuple[str, str]:
    """Return (order of the dates of a file: ymd, mdy or dmy; a message if several orders fit, otherwise "").

    An order fits if the days exist. If several orders fit, the order with the fewest days before the day of the message
    before is chosen, because messages are sorted by time. Then AM and PM speak for mdy, 오전 and 오후 for ymd.

    Args:
        form: Form of the file.
        groups: Lines of the file.
    """
    invalid, backward, halves = Counter[str](), Counter[str](), Counter[str]()
    last = dict.fromkeys(DATE_ORDERS, np.datetime64("NaT", "D"))
    total = 0
    for group in groups:
        lines = pa.array(group.texts, pa.string())
        found = pc.extract_regex(lines, str(form.dated))
        year_first = np.asarray(pc.match_substring_regex(lines.filter(found.is_valid()), _YEAR_FIRST))
        found = found.drop_null()
        total += len(found)
        long_year = np.asarray(pc.greater(pc.utf8_length(found.field("first")), 2))
        for order in DATE_ORDERS:
            days = stamps.days(found, order)
            fits = year_first if order == "ymd" else ~long_year
            fits = fits & ~np.isnat(days) & (days >= _FIRST_DAY)
            invalid[order] += int((~fits).sum())
            days = np.concatenate([[last[order]], days[fits]])
            backward[order] += int((np.diff(days[~np.isnat(days)]) < np.timedelta64(0, "D")).sum())
            last[order] = days[-1]
        half = pc.binary_join_element_wise(found.field("half"), found.field("half_after"), "")
        halves["korean"] += int(pc.sum(pc.match_substring_regex(half, "오")).as_py() or 0)
        halves["any"] += int(pc.sum(pc.not_equal(half, "")).as_py() or 0)
    fewest = min(invalid.values())
    fitting = [one for one in DATE_ORDERS if invalid[one] <= max(fewest, _TOLERATED * total)]
    habit = "ymd" if halves["korean"] else "mdy" if halves["any"] else "dmy"
    best = min(fitting, key=lambda one: (backward[one], invalid[one], one != habit))
    rivals = [one for one in fitting if one != best and backward[one] == backward[best]]
    words = {"ymd": "year, month, day", "mdy": "month, day, year", "dmy": "day, month, year"}
    doubt = (
        f"the dates may have several orders and are read as {words[best]}; if this is wrong, give --date-order "
        f"{' or '.join(rivals)} with --fresh"
    )
    return best, doubt if rivals else ""
