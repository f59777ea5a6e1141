"""Reads the texts and the other columns of selected rows, for an annotation sheet."""

from __future__ import annotations

import bisect
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from emojob.pipeline.active_learning.margins import margins_of, probabilities_of
from emojob.pipeline.output.labelled_archive import LabelledArchive, text_column_of
from emojob.pipeline.privacy.pii.masking import mask_texts
from emojob.pipeline.reading.context import Conversations
from emojob.pipeline.reading.row_batches import RowBatch
from emojob.pipeline.times.time_column import utc_times
from emojob.pipeline.times.zones import DEFAULT_ZONE
from emojob.pipeline.warehouse.conversations import rows_of_inputs
from emojob.schemas.arrow_text import identity_texts, strings
from emojob.schemas.blank import is_blank

_FOLDED = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True)
class Utterance:
    """One utterance to annotate.

    Attributes:
        text: Text in NFC, with single spaces.
        previous: Text of the previous utterance in the conversation; None if unknown.
        guess: Label with the highest probability.
        confidence: Probability of `guess`.
        second: Label with the second highest probability; None if the model has only one label.
        margin: Highest probability minus second highest probability.
        times: Number of labelled rows with this text.
        conversation: ID of the conversation; None if unknown.
        time: Time of the utterance as a string from the archive; None if unknown.
    """

    text: str
    previous: str | None
    guess: str
    confidence: float
    second: str | None
    margin: float
    times: int
    conversation: str | None
    time: str | None


@dataclass
class Pool:
    """Texts of an archive. For each text: a row number, the number of rows with the text, and the probabilities."""

    texts: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    probabilities: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, other: Pool, rows: NDArray[np.int64]) -> None:
        """Add the texts with the given indices from another pool."""
        for i in rows.tolist():
            self.texts.append(other.texts[i])
            self.numbers.append(other.numbers[i])
            self.times.append(other.times[i])
            self.probabilities.append(other.probabilities[i])


class LeaveOut:
    """Texts that must not be selected, because annotators have them already."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """Store the texts. Annotation sheets may contain masked texts, so masked forms are compared too."""
        self._texts = frozenset(map(_folded, texts))

    def __len__(self) -> int:
        return len(self._texts)

    def has(self, texts: list[str]) -> NDArray[np.bool_]:
        """Return whether each text, or its masked form, is one of the texts: bool [texts]."""
        if not self._texts:
            return np.zeros(len(texts), bool)
        masked = mask_texts(texts)
        pairs = zip(texts, masked, strict=True)
        return np.array([text in self._texts or _folded(form or "") in self._texts for text, form in pairs], bool)


def masked_utterances(utterances: list[Utterance]) -> list[Utterance]:
    """Return the utterances with personal data masked in `text`, `previous` and `conversation`."""
    columns = [mask_texts([getattr(one, name) for one in utterances]) for name in ("text", "previous", "conversation")]
    return [
        replace(one, text=text or "", previous=previous, conversation=conversation)
        for one, text, previous, conversation in zip(utterances, *columns, strict=True)
    ]


def fetch(archive: LabelledArchive, numbers: NDArray[np.int64], times: NDArray[np.int64]) -> Pool:
    """Read the texts and probabilities of the rows `numbers`, in this order.

    `times` is the number of rows with each text; it is copied into the result.
    """
    texts, probabilities = [], []
    for _, batch in archive.rows(numbers, [text_column_of(archive), *archive.probability_columns]):
        texts += [_folded(text) for text in strings(batch.column(0)).to_pylist()]
        probabilities += list(probabilities_of(batch, 1))
    back = np.argsort(np.argsort(numbers)).tolist()  # `archive.rows` returns the rows sorted by number
    return Pool([texts[i] for i in back], numbers.tolist(), times.tolist(), [probabilities[i] for i in back])


def _folded(text: str) -> str:
    """Return a text in NFC with single spaces. The SQL code in uncertain_texts.sql changes texts in the same way."""
    return _FOLDED.sub(" ", unicodedata.normalize("NFC", text)).strip()


def utterances_of(archive: LabelledArchive, picked: Pool) -> list[Utterance]:
    """Return the utterances of the picked rows, in this order."""
    about = _about(archive, np.array(picked.numbers))
    previous = _previous(archive, {number: about[number][0] for number in picked.numbers})
    utterances = []
    for text, number, times, row in zip(picked.texts, picked.numbers, picked.times, picked.probabilities, strict=True):
        order = np.argsort(-row, kind="stable")
        utterances.append(
            Utterance(
                text=text,
                previous=previous.get(number),
                guess=archive.labels[order[0]],
                confidence=float(row[order[0]]),
                second=archive.labels[order[1]] if len(order) > 1 else None,
                margin=float(margins_of(row[None], archive.thresholds)[0]),
                times=times,
                conversation=about[number][0],
                time=about[number][1],
            )
        )
    return utterances


def _about(archive: LabelledArchive, numbers: NDArray[np.int64]) -> dict[int, tuple[str | None, str | None]]:
    """Return {row number: (conversation ID, time)}. Unknown values are None."""
    about: dict[int, tuple[str | None, str | None]] = dict.fromkeys(numbers.tolist(), (None, None))
    columns = (archive.conversation_column, archive.time_column, archive.clock_column)
    given = [name for name in dict.fromkeys(columns) if name is not None]
    for found, batch in archive.rows(numbers, given) if given else ():
        values = {name: _non_blank(column) for name, column in zip(given, batch.columns, strict=True)}
        nothing: list[str | None] = [None] * batch.num_rows
        conversations, days, clocks = (values[name] if name is not None else nothing for name in columns)
        times = [" ".join(filter(None, parts)) or None for parts in zip(days, clocks, strict=True)]
        if archive.time_column is not None and archive.clock_column is not None:
            moments = _moments(batch.column(archive.time_column), batch.column(archive.clock_column))
            times = [moment or time for moment, time in zip(moments, times, strict=True)]
        about.update(zip(found.tolist(), zip(conversations, times, strict=True), strict=True))
    return about


def _moments(days: pa.Array, clocks: pa.Array) -> list[str | None]:
    """Return the days and times of day of two columns as ISO 8601 in Seoul; None for what is no time."""
    utc = utc_times(days, None, clocks)[0]
    local = pc.local_timestamp(pc.cast(utc, pa.timestamp("s", DEFAULT_ZONE), safe=False))
    return [None if moment is None else moment.isoformat(" ") for moment in local.to_pylist()]


def _non_blank(column: pa.Array) -> list[str | None]:
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    return [None if text is None or is_blank(text) else text for text in identity_texts(column).to_pylist()]


def _previous(archive: LabelledArchive, conversations: dict[int, str | None]) -> dict[int, str]:
    """Return {row number: previous text in the conversation}, without the rows that have no previous text.

    `conversations` is {row number: conversation ID, or None if unknown}. reading/context.py explains which text is the
    previous text.
    """
    searched = pa.array(sorted({name for name in conversations.values() if name is not None}), pa.large_string())
    if archive.conversation_column is None or not len(searched):
        return {}
    found: dict[int, str] = {}
    input_, last_utterances = None, Conversations("text", "conversation")
    for first, name, batch in _by_input(archive, [text_column_of(archive), archive.conversation_column]):
        if first > max(conversations):
            break
        if name != input_:
            input_, last_utterances = name, Conversations("text", "conversation")
        names = identity_texts(batch.column(1))
        rows = np.flatnonzero(pc.is_in(names, searched).to_numpy(zero_copy_only=False))
        columns = {"text": strings(batch.column(0).take(pa.array(rows))), "conversation": names.take(pa.array(rows))}
        before = last_utterances.previous(RowBatch(pa.record_batch(columns), first, len(rows), [])).to_pylist()
        pairs = zip((rows + first).tolist(), before, strict=True)
        found.update((number, _folded(text)) for number, text in pairs if number in conversations and text)
    return found


def _by_input(archive: LabelledArchive, columns: list[str]) -> Iterator[tuple[int, str | None, pa.RecordBatch]]:
    """Yield (number of the first row, name of the input, batch). A batch has rows of one input."""
    stops = [*itertools.accumulate(rows for _, rows in rows_of_inputs(archive))]
    names = [name for name, _ in rows_of_inputs(archive)]
    for first, part_file, batch in archive.batches(columns):
        begin = 0
        while begin < batch.num_rows:
            number = bisect.bisect_right(stops, first + begin)
            end = min(batch.num_rows, stops[number] - first) if stops else batch.num_rows
            yield first + begin, names[number] if stops else part_file.input, batch.slice(begin, end - begin)
            begin = end
