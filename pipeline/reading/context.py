"""The context of an utterance: the one before it in its conversation, for models that were trained to read both.

The previous utterance is the nearest earlier row of the same input with the same conversation and with text, in the
order of the file; conversations may be interleaved. A row without a conversation (null or blank) has none.
What it is does not depend on row batches, parts or interruptions: only on the rows before it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from emojob.pipeline.reading.columns import choose_conversation_column
from emojob.pipeline.reading.dataset import Dataset, Source, read_batches
from emojob.pipeline.reading.row_batches import RowBatch
from emojob.schemas.arrow_text import strings, unwrapped
from emojob.schemas.errors import ColumnError

#: Conversations remembered, and characters of their last utterances together. Beyond either, those seen least recently
#: are forgotten, at every _STEP-th row of an input, so that it depends on nothing but the rows.
CONVERSATIONS = 1_000_000
CHARACTERS = 100_000_000
_STEP = 16_384  # rows

#: Characters of a previous utterance that count: far more than a model has positions.
LONGEST = 4096

# A text without any other character has no token: white space, and what KoBERT's SentencePiece model drops.
_WITH_TEXT = r"[^\s\p{Z}\x01-\x1f\x7f\x85\x8f\x9f\x{61c}\x{200b}\x{200c}\x{200e}\x{200f}\x{feff}]"


class Conversations:
    """The last utterance of each conversation among the rows of one input that were seen so far."""

    def __init__(self, text_column: str, conversation_column: str) -> None:
        self.text_column, self.conversation_column = text_column, conversation_column
        self._last: dict[object, str] = {}  # the conversation that was seen least recently comes first
        self._characters = 0

    def previous(self, row_batch: RowBatch) -> pa.Array:
        """The utterance before each row of the next row batch: large_string [rows of its batch], null where none is."""
        found, rest = [pa.array([], pa.large_string())], row_batch
        while rest.rows_read:
            head, rest = rest.split(_STEP - rest.first_row % _STEP)
            found.append(self._previous(head.batch))
            if (head.first_row + head.rows_read) % _STEP == 0:
                self._forget()
        return pa.concat_arrays(found)

    def _previous(self, batch: pa.RecordBatch) -> pa.Array:
        texts = _texts(batch.column(self.text_column))
        coded = _conversations(batch.column(self.conversation_column)).dictionary_encode()
        codes = np.asarray(coded.indices.cast(pa.int64()).fill_null(-1))
        rows = np.flatnonzero(np.asarray(with_text(texts)) & (codes >= 0))
        rows = rows[np.argsort(codes[rows], kind="stable")]  # one conversation behind the other, each in its order
        codes = codes[rows]
        begins, ends = np.diff(codes, prepend=-1) != 0, np.diff(codes, append=-1) != 0
        conversations = coded.dictionary.take(pa.array(codes[begins])).to_pylist()
        carried = pa.array(map(self._last.get, conversations), pa.large_string())
        before = np.empty_like(rows)
        before[1:] = rows[:-1]
        before[begins] = len(texts) + np.arange(len(carried))
        place = np.full(len(texts), -1)
        place[rows] = before
        self._remember(conversations, texts, rows[ends])
        return pa.concat_arrays([texts, carried]).take(pa.array(place, mask=place < 0))

    def _remember(self, conversations: list[object], texts: pa.Array, lasts: NDArray[np.int64]) -> None:
        """Note the last utterances of some conversations, those that ended last behind the others."""
        order = np.argsort(lasts)
        for i, text in zip(order.tolist(), texts.take(pa.array(lasts[order])).to_pylist(), strict=True):
            conversation = conversations[i]
            self._characters += len(text) - len(self._last.pop(conversation, ""))
            self._last[conversation] = text

    def _forget(self) -> None:
        oldest = iter(self._last.items())
        forgotten = 0
        while len(self._last) - forgotten > CONVERSATIONS or self._characters > CHARACTERS:
            self._characters -= len(next(oldest)[1])
            forgotten += 1
        for conversation in list(itertools.islice(self._last, forgotten)):
            del self._last[conversation]


def conversations_before(
    dataset: Dataset, source: Source, stop_row: int, rows: int, stopping: Callable[[], bool] = lambda: False
) -> Conversations | None:
    """What is known of an input's conversations before `stop_row`, found by reading its earlier rows again.

    None for an archive whose conversations do not matter. rows: read at a time. Ends early as soon as `stopping` says
    so; the run goes no further then either. Raises what `dataset.read_batches` raises.
    """
    if dataset.conversation_column is None:
        return None
    conversations = Conversations(dataset.text_column, dataset.conversation_column)
    if not stop_row:
        return conversations
    for row_batch in read_batches(dataset, source, 0, rows, [dataset.text_column, dataset.conversation_column]):
        within, _ = row_batch.split(stop_row - row_batch.first_row)
        conversations.previous(within)
        if stopping() or row_batch.first_row + row_batch.rows_read >= stop_row:
            break
    return conversations


def with_conversation_column(dataset: Dataset, context: str | None, given: str | None) -> Dataset:
    """The archive with the column that tells conversations apart, where the context is `previous`.

    given: its name, None for the only column of a usual name. Raises ColumnError where there is no such column.
    """
    if context != "previous":
        return dataset
    parts = [(source.file, source.schema) for source in dataset.sources]
    column = choose_conversation_column(parts, dataset.schema, dataset.text_column, given)
    if column == dataset.text_column:
        raise ColumnError(
            f"--conversation-column {column}: that column holds the text; give the one that tells conversations apart"
        )
    return replace(dataset, conversation_column=column)


def previous_texts(texts: Iterable[str], last: str | None = None) -> list[str | None]:
    """The utterance with text before each of the texts of one conversation; last: the one before the first."""
    texts = list(texts)
    found: list[str | None] = []
    encoded = pa.array([text.encode("utf-8", "replace") for text in texts], pa.large_string())
    for text, counts in zip(texts, with_text(encoded).to_pylist(), strict=True):
        found.append(last)
        last = text if counts else last
    return found


def with_text(texts: pa.Array) -> pa.Array:
    """Which texts have a character that counts: bool [rows], false for null."""
    return pc.match_substring_regex(texts, _WITH_TEXT).fill_null(False)


def _texts(column: pa.Array) -> pa.Array:
    """A column's strings as large_string in UTF-8, no longer than what counts of a previous utterance."""
    texts = strings(column)
    if (pc.max(pc.binary_length(texts)).as_py() or 0) > LONGEST:
        return pc.utf8_slice_codeunits(texts, 0, LONGEST)
    return texts


def _conversations(column: pa.Array) -> pa.Array:
    """A column's conversations as values that a dictionary can be made of, null where there is none."""
    values = unwrapped(column)
    if pa.types.is_floating(values.type):
        return pc.if_else(pc.is_nan(values), None, values)
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        blank = pc.invert(with_text(_texts(values)))
        return pc.if_else(blank, None, values.cast(pa.large_binary()))  # bytes, in case they are not UTF-8
    return values
