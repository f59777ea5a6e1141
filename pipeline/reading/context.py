"""The previous utterance of each utterance, for models that were trained to read both.

The previous utterance is the nearest earlier row with text that has the same conversation, in the same input and in
file order. Conversations may be interleaved. A row without a conversation (null or blank) has no previous utterance.
The result depends only on the earlier rows, not on row batches, parts or interruptions.
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

#: Limits on the conversations that are remembered, and on the characters of their last utterances. Beyond either, the
#: least recently seen ones are forgotten, after every _STEP rows of an input, so that the result depends on the rows
#: alone.
CONVERSATIONS = 1_000_000
CHARACTERS = 100_000_000
_STEP = 16_384  # rows

#: Characters of a previous utterance that are kept: far more than a model has positions.
LONGEST = 4096

# A text without any other character has no token: white space, and what KoBERT's SentencePiece model drops.
_WITH_TEXT = r"[^\s\p{Z}\x01-\x1f\x7f\x85\x8f\x9f\x{61c}\x{200b}\x{200c}\x{200e}\x{200f}\x{feff}]"


class Conversations:
    """The last utterance of each conversation in the rows of one input that were read so far."""

    def __init__(self, text_column: str, conversation_column: str) -> None:
        """Start without conversations.

        Args:
            text_column: Name of the text column.
            conversation_column: Name of the column that identifies conversations.
        """
        self.text_column, self.conversation_column = text_column, conversation_column
        self._last: dict[object, str] = {}  # least recently seen conversation first
        self._characters = 0

    def previous(self, row_batch: RowBatch) -> pa.Array:
        """Return the utterance before each row of the next row batch: large_string [rows], null if there is none."""
        found, rest = [pa.array([], pa.large_string())], row_batch
        while rest.rows_read:
            head, rest = rest.split(_STEP - rest.first_row % _STEP)
            found.append(self._previous(head.batch))
            if (head.first_row + head.rows_read) % _STEP == 0:
                self._forget()
        return pa.concat_arrays(found)

    def _previous(self, batch: pa.RecordBatch) -> pa.Array:
        texts = _utterances(batch.column(self.text_column))
        coded = _conversation_keys(batch.column(self.conversation_column)).dictionary_encode()
        codes = np.asarray(coded.indices.cast(pa.int64()).fill_null(-1))
        rows = np.flatnonzero(np.asarray(with_text(texts)) & (codes >= 0))
        rows = rows[np.argsort(codes[rows], kind="stable")]  # conversation by conversation, each in its order
        codes = codes[rows]
        begins, ends = np.diff(codes, prepend=-1) != 0, np.diff(codes, append=-1) != 0
        conversations = coded.dictionary.take(pa.array(codes[begins])).to_pylist()
        carried = pa.array(map(self._last.get, conversations), pa.large_string())
        before = np.empty_like(rows)
        before[1:] = rows[:-1]
        before[begins] = len(texts) + np.arange(len(carried))
        index = np.full(len(texts), -1)
        index[rows] = before
        self._remember(conversations, texts, rows[ends])
        return pa.concat_arrays([texts, carried]).take(pa.array(index, mask=index < 0))

    def _remember(self, conversations: list[object], texts: pa.Array, lasts: NDArray[np.int64]) -> None:
        """Keep the last utterance of each conversation. The conversation that ended last comes last."""
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
    """Return the conversations of an input before `stop_row`. The earlier rows are read again for this.

    Args:
        dataset: The dataset; its `conversation_column` is None if the model reads no previous utterance.
        source: One input of the dataset.
        stop_row: Row after the last one that is read.
        rows: Rows that are read at a time.
        stopping: Returns True when the run stops; then the rest is not read, because the run does not need it.

    Returns:
        The conversations; None if the dataset has no conversation column.

    Raises:
        DataError: As in `read_batches`.
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
    """Return the dataset with its conversation column, if the model reads previous utterances.

    Args:
        dataset: The dataset.
        context: Context of the model; the dataset is returned as it is unless this is `previous`.
        given: Name of the column; None means the only column of a usual name.

    Raises:
        ColumnError: There is no such column, or it is the text column.
    """
    if context != "previous":
        return dataset
    parts = [(source.file, source.schema) for source in dataset.sources]
    column = choose_conversation_column(parts, dataset.schema, dataset.text_column, given)
    if column == dataset.text_column:
        raise ColumnError(
            f"--conversation-column {column}: that column holds the text; give the one that identifies conversations"
        )
    return replace(dataset, conversation_column=column)


def previous_texts(texts: Iterable[str], last: str | None = None) -> list[str | None]:
    """Return the previous utterance with text of each text of one conversation.

    Args:
        texts: Texts in their order.
        last: The utterance before the first text, None if there is none.
    """
    texts = list(texts)
    found: list[str | None] = []
    encoded = pa.array([text.encode("utf-8", "replace") for text in texts], pa.large_string())
    for text, counts in zip(texts, with_text(encoded).to_pylist(), strict=True):
        found.append(last)
        last = text if counts else last
    return found


def with_text(texts: pa.Array) -> pa.Array:
    """Return which texts have a character that becomes a token: bool [rows], false for null."""
    return pc.match_substring_regex(texts, _WITH_TEXT).fill_null(False)


def _utterances(column: pa.Array) -> pa.Array:
    """Return the strings of a column, cut to LONGEST characters: large_string [rows], valid UTF-8."""
    texts = strings(column)
    if (pc.max(pc.binary_length(texts)).as_py() or 0) > LONGEST:
        return pc.utf8_slice_codeunits(texts, 0, LONGEST)
    return texts


def _conversation_keys(column: pa.Array) -> pa.Array:
    """Return a column's conversations as values that Arrow can dictionary-encode, null where there is none."""
    values = unwrapped(column)
    if pa.types.is_floating(values.type):
        return pc.if_else(pc.is_nan(values), None, values)
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        blank = pc.invert(with_text(_utterances(values)))
        return pc.if_else(blank, None, values.cast(pa.large_binary()))  # as bytes, which need not be valid UTF-8
    return values
