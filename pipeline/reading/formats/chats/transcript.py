"""Reads the messages of a chat from lines of text. A message may have several lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from emojob.pipeline.reading.formats.blocks import LONGEST_ROW
from emojob.pipeline.reading.formats.chats import stamps
from emojob.pipeline.reading.formats.chats.forms import FORMS, Form, chat_name, is_header
from emojob.pipeline.reading.formats.chats.lines import TOO_LONG, Lines
from emojob.pipeline.reading.formats.chats.messages import SCHEMA, Tally
from emojob.pipeline.reading.row_batches import Reject, RowBatch
from emojob.schemas.columns import READ_CHARACTERS
from emojob.schemas.placeholders import system_lines

_OTHER, _BLANK, _MESSAGE, _DAY, _SYSTEM = range(5)  # kinds of lines
_HEADER_LINES = 8  # maximum number of lines before the first message that may have the name of the chat
_MINUTE = np.timedelta64(60, "s")
# A sentence of the messenger that `system_lines` may not know yet.
_SENTENCE = (
    r"(?:님|채팅|메시지|관리자|방장|봇).*(?:니다|어요)\.?$|\b(?:joined|left|invited|removed|chatroom|host|message)\b"
)
_INVISIBLE = "[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"


def choose_form(lines: Sequence[str], messenger: str) -> Form | None:
    """Return the form of a messenger that most lines have; None if no line has a form.

    Args:
        lines: Lines of a file.
        messenger: kakaotalk or whatsapp.
    """
    column = pa.array(lines, pa.string())
    counts = {}
    for form in FORMS.values():
        if form.messenger == messenger:
            messages = _count(column, form.message)
            counts[form.name] = messages and messages + (_count(column, form.day) if form.day else 0)
    best = max(counts, key=counts.__getitem__)
    return FORMS[best] if counts[best] else None


def _count(lines: pa.Array, pattern: str) -> int:
    return int(pc.sum(pc.match_substring_regex(lines, pattern)).as_py() or 0)


class Transcript:
    """Turns the lines of a chat into rows.

    Attributes:
        name: Name of the chat.
        tally: Counts of the lines so far.
    """

    def __init__(self, form: Form, name: str, order: str = "ymd") -> None:
        """Store the arguments.

        Args:
            form: Form of the file.
            name: Name of the chat. A name in the first lines of the file replaces it.
            order: Order of dates: ymd, mdy or dmy.
        """
        self.tally = Tally()
        self._form, self.name, self._order = form, name, order
        self._day = np.datetime64("NaT", "D")  # the day of the last line that begins a day
        self._last = np.datetime64("NaT", "s")  # the time of the last message that has one
        self._started = False

    def read(self, groups: Iterable[Lines]) -> Iterator[RowBatch]:
        """Yield the rows. `groups` are the lines of a file, in order."""
        waiting = Lines([], {})
        for group in groups:
            waiting.extend(group)
            parsed = _Parsed(waiting, self._form, self._order)
            if len(parsed.messages):  # the last message may go on in the next group
                yield self._rows(parsed, int(parsed.messages[-1]))
                _, waiting = waiting.cut(int(parsed.messages[-1]))
            waiting = self._bounded(waiting)
        parsed = _Parsed(waiting, self._form, self._order)
        yield self._rows(parsed, len(waiting.texts))

    def _bounded(self, waiting: Lines) -> Lines:
        """Drop lines of a message that is too long. The first line stays, to reject the message."""
        if sum(map(len, waiting.texts)) <= LONGEST_ROW:
            return waiting
        if self._started:
            return Lines(waiting.texts[:1], {0: TOO_LONG})
        self.tally.unread += len(waiting.texts)
        return Lines([], {})

    def _rows(self, parsed: _Parsed, end: int) -> RowBatch:
        """Return the messages that begin before line `end`. A message begins at `end`, or the file ends there."""
        kinds, texts = parsed.kinds[:end], parsed.lines.texts
        heads = np.flatnonzero(kinds == _MESSAGE)
        if not self._started:
            self._read_header(texts[: int(heads[0]) if len(heads) else end], kinds)
        stops = _ends(kinds, heads)
        self._count_lines(kinds, heads, stops)
        days = self._days(parsed, kinds, heads)
        times = stamps.times(days, stamps.seconds_of_day(parsed.message.take(pa.array(heads))))
        self.tally.timeless += times.null_count
        self.tally.day_like += int(parsed.day_like[:end].sum())
        self._count_backwards(np.asarray(times.drop_null().to_numpy(zero_copy_only=False)))
        first_row = self.tally.messages
        self.tally.messages += len(heads)
        self._started = self._started or bool(len(heads))
        found = pa.RecordBatch.from_arrays(
            [
                pa.repeat(pa.scalar(self.name, pa.string()), len(heads)),
                pa.array(np.arange(first_row + 1, first_row + 1 + len(heads))),
                parsed.speakers.take(pa.array(heads)),
                times,
                _joined(parsed, heads, stops),
            ],
            schema=SCHEMA,
        )
        return _with_rejects(found, first_row, parsed, heads, stops)

    def _read_header(self, lines: list[str], kinds: NDArray[np.int8]) -> None:
        names = filter(None, map(chat_name, lines[:_HEADER_LINES]))
        self.name = next(names, self.name)
        self.tally.unread += sum(
            kind == _OTHER and not is_header(line) for line, kind in zip(lines, kinds.tolist(), strict=False)
        )

    def _count_lines(self, kinds: NDArray[np.int8], heads: NDArray[np.int64], stops: NDArray[np.int64]) -> None:
        self.tally.system += int((kinds == _SYSTEM).sum())
        if len(heads):
            inside = np.zeros(len(kinds) + 1, np.int64)
            np.add.at(inside, heads, 1)
            np.add.at(inside, stops, -1)
            outside = np.cumsum(inside[:-1]) == 0
            outside[: heads[0]] = False  # `_read_header` has counted these lines
            self.tally.unread += int((outside & (kinds == _OTHER)).sum())

    def _count_backwards(self, times: NDArray[np.datetime64]) -> None:
        """Count messages that are earlier than the message before. Messengers write the messages in their order."""
        times = np.concatenate([[self._last], times])
        self.tally.backwards += int((np.diff(times) < -_MINUTE).sum())
        self._last = times[-1]

    def _days(self, parsed: _Parsed, kinds: NDArray[np.int8], heads: NDArray[np.int64]) -> stamps.Days:
        """Return the day of each message: the day in its first line, else the day of the last line with a day."""
        if self._form.dated:
            return parsed.days[heads]
        marks = np.flatnonzero(kinds == _DAY)
        days = np.concatenate([[self._day], parsed.days[marks]])
        found: stamps.Days = days[np.searchsorted(marks, heads)]
        self._day = days[-1]
        return found


class _Parsed:
    """Lines with their kinds.

    Attributes:
        lines: The lines.
        column: The lines as an array.
        message: Groups of the pattern of messages for each line; null if the line is no first line of a message.
        days: Day in each line: datetime64[D] [lines], NaT if there is none.
        kinds: Kind of each line: int8 [lines].
        day_like: Whether a line looks like a line that begins a day, but belongs to a text: bool [lines].
    """

    def __init__(self, lines: Lines, form: Form, order: str) -> None:
        self.lines, self._form, self._order = lines, form, order
        self.column = pa.array(lines.texts, pa.string())
        self.message = pc.extract_regex(self.column, form.message)
        self.days = np.full(len(lines.texts), np.datetime64("NaT"), "datetime64[D]")
        self.kinds = np.full(len(lines.texts), _OTHER, np.int8)
        self.day_like = np.zeros(len(lines.texts), np.bool_)
        self.kinds[_matches(self.column, r"^\s*$")] = _BLANK
        self.kinds[np.asarray(self.message.is_valid())] = _MESSAGE
        if form.dated:
            self._find_dated(form.dated)
        else:
            self._find_system_lines()
        if form.day:
            self._find_days(form.day)

    @property
    def messages(self) -> NDArray[np.int64]:
        """Numbers of the first lines of messages."""
        return np.flatnonzero(self.kinds == _MESSAGE)

    @property
    def speakers(self) -> pa.Array:
        """The speaker in each line, without marks that have no visible form; null if there is none."""
        return pc.utf8_trim_whitespace(pc.replace_substring_regex(self.message.field("speaker"), _INVISIBLE, ""))

    def _find_dated(self, pattern: str) -> None:
        """Find lines with a date but without a speaker: the messenger writes them itself."""
        dated = pc.extract_regex(self.column, pattern)
        is_dated = np.asarray(dated.is_valid())
        system = is_dated & (self.kinds != _MESSAGE)
        if self._form.messenger == "whatsapp":
            system |= _matches(dated.field("rest"), system_lines("whatsapp"))
            # on iOS, the messenger writes as the group or as a person, and begins the text with a mark
            text = self.message.field("text")
            plain = pc.replace_substring_regex(text, _INVISIBLE, "")
            system |= _matches(text, "^\u200e") & _matches(plain, system_lines("whatsapp"))
        self.kinds[system] = _SYSTEM
        self.days[is_dated] = stamps.days(dated.filter(pa.array(is_dated)), self._order)
        self._keep_days(np.flatnonzero(system & _matches(dated.field("rest"), "^$")))

    def _find_system_lines(self) -> None:
        """Find lines that the messenger writes itself, in a form in which only messages have times.

        A line of a message may look like such a line, too. So the next line decides: after a line of the messenger,
        there is no line that is neither a message nor another line of the messenger.
        """
        candidates = self.kinds == _OTHER
        others = self.column.filter(pa.array(candidates))
        candidates[candidates] = _matches(others, system_lines(self._form.messenger))
        if candidates.any():
            assert self._form.day  # noqa: S101
            is_day = _matches(self.column, self._form.day)
            goes_on = (self.kinds == _OTHER) & ~candidates & ~is_day
            decides = np.flatnonzero(goes_on | is_day | (self.kinds == _MESSAGE))
            following = np.append(goes_on[decides], False)[np.searchsorted(decides, np.flatnonzero(candidates))]
            self.kinds[np.flatnonzero(candidates)[~following]] = _SYSTEM

    def _find_days(self, pattern: str) -> None:
        """Find lines that begin a new day."""
        found = pc.extract_regex(self.column, pattern)
        lines = np.flatnonzero(np.asarray(found.is_valid()) & (self.kinds == _OTHER))
        if not len(lines):
            return
        self.days[lines] = stamps.days(found.take(pa.array(lines)))
        if self._form.dated:
            self._keep_days(lines)
        else:
            self._keep_borders(lines)

    def _keep_days(self, lines: NDArray[np.int64]) -> None:
        """Mark lines as beginnings of a day, if the next line with a date has the same date. Messages have dates.

        The other lines belong to a text.
        """
        is_day = np.zeros(len(self.kinds), np.bool_)
        is_day[lines] = True
        others = np.flatnonzero((self.kinds != _BLANK) & ~is_day)
        at = np.searchsorted(others, lines)
        following = np.append(self.days[others], np.datetime64("NaT"))[at]
        self._mark(lines, (at == len(others)) | (following == self.days[lines]))

    def _keep_borders(self, lines: NDArray[np.int64]) -> None:
        """Mark lines as beginnings of a day. Only these lines have dates, and messages have a time of day.

        Such a line belongs to a text if the text goes on behind it, and if the next message has no earlier time of day
        than the message before. An earlier time shows that a day has ended.
        """
        is_day = np.zeros(len(self.kinds), np.bool_)
        is_day[lines] = True
        others = np.flatnonzero((self.kinds != _BLANK) & ~is_day)
        at = np.searchsorted(others, lines)
        is_text = (self.kinds == _OTHER) & ~_matches(self.column, _SENTENCE)
        goes_on = np.append(is_text[others], False)[at]
        if goes_on.any():
            messages = self.messages
            seconds = stamps.seconds_of_day(self.message.take(pa.array(messages)))
            at = np.searchsorted(messages, lines)
            has_both = (at > 0) & (at < len(messages))
            before, after = seconds[np.maximum(at - 1, 0)], seconds[np.minimum(at, len(messages) - 1)]
            goes_on &= has_both & (after >= before)
        self._mark(lines, ~goes_on)

    def _mark(self, lines: NDArray[np.int64], real: NDArray[np.bool_]) -> None:
        self.kinds[lines] = np.where(real, _DAY, _OTHER)
        self.days[lines[~real]] = np.datetime64("NaT")
        self.day_like[lines[~real]] = True


def _matches(texts: pa.Array, pattern: str) -> NDArray[np.bool_]:
    return np.asarray(pc.match_substring_regex(texts, pattern).fill_null(False))


def _ends(kinds: NDArray[np.int8], heads: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the end (exclusive) of each message.

    A message ends before the next message, or before the next line that is no text. Before the latter, and at the end
    of the file, the messenger writes blank lines, which belong to no message.
    """
    borders = np.flatnonzero(kinds >= _MESSAGE)
    borders = np.append(borders, len(kinds))
    stops = borders[np.searchsorted(borders, heads, "right")]
    filled = np.maximum.accumulate(np.where(kinds != _BLANK, np.arange(len(kinds)), 0)) if len(kinds) else kinds
    before_message = np.append(kinds, _SYSTEM)[stops] == _MESSAGE
    result: NDArray[np.int64] = np.where(before_message, stops, np.maximum(filled[stops - 1], heads) + 1)
    return result


def _joined(parsed: _Parsed, heads: NDArray[np.int64], stops: NDArray[np.int64]) -> pa.Array:
    """Return the text of each message: its lines, joined with line feeds."""
    lengths = stops - heads
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    index = np.arange(offsets[-1]) + np.repeat(heads - offsets[:-1], lengths)
    texts = pc.if_else(parsed.message.is_valid(), parsed.message.field("text"), parsed.column)
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), texts.take(pa.array(index))), "\n")


def _with_rejects(
    found: pa.RecordBatch, first_row: int, parsed: _Parsed, heads: NDArray[np.int64], stops: NDArray[np.int64]
) -> RowBatch:
    """Return the rows, without the messages that have a line with a fault. These messages are rejected."""
    rejects: dict[int, Reject] = {}
    for line, reason in sorted(parsed.lines.faults.items()):
        at = int(np.searchsorted(heads, line, "right")) - 1
        if at >= 0 and line < stops[at] and at not in rejects:
            raw = "\n".join(parsed.lines.texts[heads[at] : stops[at]])[:READ_CHARACTERS]
            rejects[at] = Reject(first_row + at + 1, reason, raw)
    if rejects:
        good = np.ones(len(heads), np.bool_)
        good[list(rejects)] = False
        found = found.filter(pa.array(good))
    return RowBatch(found, first_row, len(heads), list(rejects.values()))
