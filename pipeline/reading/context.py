"""Finds the previous utterance of each row. Some models read the previous utterance together with the text.

- The previous utterance is the nearest earlier text in the same input and the same conversation.
- Rows without text, with a null marker or with a placeholder of a messenger are skipped. Rows of other conversations
  may come between.
- A row has no previous utterance if the conversation ID of the row is null or blank.

Batch sizes, part file sizes and interruptions do not change the result.
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
from emojob.pipeline.reading.dataset import Dataset, read_batches
from emojob.pipeline.reading.row_batches import RowBatch
from emojob.pipeline.reading.source import Source
from emojob.schemas.arrow_text import strings, unwrapped
from emojob.schemas.blank import NOT_BLANK
from emojob.schemas.errors import ColumnError
from emojob.schemas.placeholders import without_placeholders

#: Maximum number of conversations whose last utterance is kept in memory.
CONVERSATIONS = 1_000_000
#: Maximum total number of characters of the utterances in memory.
CHARACTERS = 100_000_000
# After every _STEP rows, the least recently seen conversations are dropped, until neither CONVERSATIONS nor CHARACTERS
# is exceeded. The step is fixed, so batch sizes do not change the result.
_STEP = 16_384

#: Maximum number of characters of a previous utterance. Models read far fewer characters.
LONGEST = 4096

# Matches a character that becomes a token. White space and characters that KoBERT's SentencePiece model drops do not
# become tokens.
_WITH_TEXT = r"[^\s\p{Z}\x01-\x1f\x7f\x85\x8f\x9f\x{61c}\x{200b}\x{200c}\x{200e}\x{200f}\x{feff}]"


class Conversations:
    """Stores the last utterance of each conversation while an input is read."""

    def __init__(self, text_column: str, conversation_column: str, placeholders: bool = True) -> None:
        """Store the names of the columns.

        Args:
            text_column: Name of the text column.
            conversation_column: Name of the column that identifies conversations.
            placeholders: Whether rows with placeholders of messengers are skipped, like rows without text.
        """
        self.text_column, self.conversation_column = text_column, conversation_column
        self._placeholders = placeholders
        self._last: dict[object, str] = {}  # {conversation ID: last utterance}, least recently seen first
        self._characters = 0

    def previous(self, row_batch: RowBatch) -> pa.Array:
        """Return the previous utterance of each row, null if there is none: large_string [rows].

        Call this with consecutive row batches.
        """
        found, rest = [pa.array([], pa.large_string())], row_batch
        while rest.rows_read:
            head, rest = rest.split(_STEP - rest.first_row % _STEP)
            found.append(self._previous(head.batch))
            if (head.first_row + head.rows_read) % _STEP == 0:
                self._forget()
        return pa.concat_arrays(found)

    def _previous(self, batch: pa.RecordBatch) -> pa.Array:
        texts = without_placeholders(_utterances(batch.column(self.text_column)), self._placeholders)
        coded = _conversation_keys(batch.column(self.conversation_column)).dictionary_encode()
        codes = np.asarray(coded.indices.cast(pa.int64()).fill_null(-1))
        rows = np.flatnonzero(np.asarray(with_text(texts)) & (codes >= 0))
        rows = rows[np.argsort(codes[rows], kind="stable")]  # sorted by conversation, then by row
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
        """Store the last utterance of each conversation. The most recently seen conversation is stored last."""
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
    """Read the first `stop_row` rows of an input again, and return the conversations in these rows.

    Args:
        dataset: The dataset.
        source: An input of the dataset.
        stop_row: Number of rows to read.
        rows: Number of rows per read.
        stopping: Returns True if the run must stop. Then reading ends early, because the result is not needed.

    Returns:
        The conversations; None if the dataset has no conversation column.

    Raises:
        DataError: The file is damaged, or has changed since it was inspected.
    """
    if dataset.conversation_column is None:
        return None
    conversations = Conversations(dataset.text_column, dataset.conversation_column, dataset.placeholders)
    if not stop_row:
        return conversations
    for row_batch in read_batches(dataset, source, 0, rows, [dataset.text_column, dataset.conversation_column]):
        within, _ = row_batch.split(stop_row - row_batch.first_row)
        conversations.previous(within)
        if stopping() or row_batch.first_row + row_batch.rows_read >= stop_row:
            break
    return conversations


def with_conversation_column(dataset: Dataset, context: str | None, given: str | None) -> Dataset:
    """Choose the conversation column, and return the dataset with this column.

    Args:
        dataset: The dataset.
        context: `previous` if the model reads previous utterances. Otherwise, `dataset` is returned unchanged.
        given: Name from --conversation-column; None: choose the column by its name (`choose_conversation_column`).

    Raises:
        ColumnError: No column can be chosen, or `given` is the text column.
    """
    if context != "previous":
        return dataset
    parts = [(source.file, source.schema) for source in dataset.sources]
    column = choose_conversation_column(parts, dataset.schema, dataset.text_column, given)
    if column == dataset.text_column:
        raise ColumnError(
            f"--conversation-column {column} is the text column; give the column that identifies conversations"
        )
    return replace(dataset, conversation_column=column)


def previous_texts(texts: Iterable[str], last: str | None = None) -> list[str | None]:
    """Return, for each text of a conversation, the nearest earlier text that is not empty.

    Args:
        texts: Texts of the conversation, in order.
        last: Utterance before the first text; None if there is none.
    """
    texts = list(texts)
    found: list[str | None] = []
    encoded = pa.array([text.encode("utf-8", "replace") for text in texts], pa.large_string())
    for text, counts in zip(texts, with_text(encoded).to_pylist(), strict=True):
        found.append(last)
        last = text if counts else last
    return found


def with_text(texts: pa.Array) -> pa.Array:
    """Return whether each text gives at least one token: bool [rows], false for null."""
    return pc.match_substring_regex(texts, _WITH_TEXT).fill_null(False)


def _utterances(column: pa.Array) -> pa.Array:
    """Return the texts of a column as valid UTF-8 of at most LONGEST characters: large_string [rows]."""
    texts = strings(column)
    if (pc.max(pc.binary_length(texts)).as_py() or 0) > LONGEST:
        return pc.utf8_slice_codeunits(texts, 0, LONGEST)
    return texts


def _conversation_keys(column: pa.Array) -> pa.Array:
    """Return conversation IDs in a type that Arrow can dictionary-encode. Blank IDs and NaN become null."""
    values = unwrapped(column)
    if pa.types.is_floating(values.type):
        return pc.if_else(pc.is_nan(values), None, values)
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values_as_bytes = values.cast(pa.large_binary())  # because an ID may be invalid UTF-8
        return pc.if_else(_is_blank(strings(values)), None, values_as_bytes)
    if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        return pc.if_else(_is_blank(strings(values)), None, values)
    return values


def _is_blank(texts: pa.Array) -> pa.Array:
    return pc.invert(pc.match_substring_regex(texts, NOT_BLANK))
