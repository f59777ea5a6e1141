"""The base of all tokenizers: token ids to BERT's input sequences, a whole row batch at a time.

A subclass (KoBERT's SentencePiece, BERT's WordPiece) turns texts into ids. Special tokens, pairs and truncation are the
same for all of them and are done here.
"""

from __future__ import annotations

import abc
import itertools
import os
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emojob.schemas.arrow_text import python_values

Ids = NDArray[np.int32]
Offsets = NDArray[np.int64]

SPECIAL_TOKENS = ("[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]")
SURROGATE = re.compile("[\ud800-\udfff]")

_SLICE = 4096  # texts that one thread encodes at a time
_LONG = 4096  # characters; of a longer text only the beginning is encoded, where the result is the same


@dataclass(frozen=True)
class Encoded:
    """Token ids of texts, concatenated.

    Attributes:
        ids: int32 [tokens].
        offsets: int64 [rows + 1]; row i is ids[offsets[i]:offsets[i + 1]].
        truncated: bool [rows], whether the text was longer than the maximum length.
        segments: int8 [tokens], 1 after the first [SEP] of a pair; None for single texts.
    """

    ids: Ids
    offsets: Offsets
    truncated: NDArray[np.bool_]
    segments: NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Offsets:
        """int64 [rows]: tokens of each row, including [CLS] and [SEP]."""
        return np.diff(self.offsets)

    def tolist(self) -> list[list[int]]:
        """Return one list of ids per text."""
        return [row.tolist() for row in np.split(self.ids, self.offsets[1:-1])] if len(self) else []


class Tokenizer(abc.ABC):
    """Texts to token ids, in threads. A subclass implements `_pieces_of_slice`.

    Attributes:
        files: The files that the tokenizer was read from.
        vocab_size: Number of pieces.
    """

    files: tuple[Path, ...]
    vocab_size: int

    def __init__(self, specials: Sequence[int], threads: int | None) -> None:
        """Set up the special tokens.

        Args:
            specials: Ids of [UNK] [PAD] [CLS] [SEP] [MASK].
            threads: Number of threads; None for one per core.
        """
        self.unk_id, self.pad_id, self.cls_id, self.sep_id, self.mask_id = specials
        self.threads = threads or os.cpu_count() or 1

    @abc.abstractmethod
    def _pieces_of_slice(self, texts: list[str | None], room: int | None) -> tuple[Ids, Offsets]:
        """Return the same as `_pieces`, for at most `_SLICE` texts."""

    def encode(
        self,
        texts: Sequence[str | None] | pa.Array | pa.ChunkedArray,
        max_length: int | None = 64,
        second: Sequence[str | None] | pa.Array | pa.ChunkedArray | None = None,
    ) -> Encoded:
        """Encode texts, or pairs of texts if `second` is given.

        Args:
            texts: None or null counts as an empty text.
            max_length: Tokens, including [CLS] and [SEP]; None for no limit. A single text keeps its beginning; a pair
                loses tokens from the end of its longer text first.
            second: The second text of each pair.

        Raises:
            ValueError: `texts` and `second` differ in length.
        """
        room = None if max_length is None else max(0, max_length - (2 if second is None else 3))
        first_ids, first_lengths = self._pieces(_strings(texts), room)
        if second is None:
            kept = first_lengths if room is None else np.minimum(first_lengths, room)
            ids, offsets = self._assemble([(first_ids, _starts(first_lengths), kept)])
            return Encoded(ids, offsets, kept < first_lengths)
        second_ids, second_lengths = self._pieces(_strings(second), room)
        if len(first_lengths) != len(second_lengths):
            raise ValueError(f"{len(first_lengths)} texts, but {len(second_lengths)} second texts")
        kept, second_kept = _longest_first(first_lengths, second_lengths, room)
        ids, offsets = self._assemble(
            [(first_ids, _starts(first_lengths), kept), (second_ids, _starts(second_lengths), second_kept)]
        )
        segments = _alternate(kept + 2, second_kept + 1)
        return Encoded(ids, offsets, (kept < first_lengths) | (second_kept < second_lengths), segments)

    def encode_with_previous(
        self,
        texts: Sequence[str | None] | pa.Array | pa.ChunkedArray,
        previous: Sequence[str | None] | pa.Array | pa.ChunkedArray,
        max_length: int | None = 64,
    ) -> Encoded:
        """Encode each text after its previous utterance: [CLS] previous [SEP] text [SEP], in the segments 0 and 1.

        A text without a previous utterance (None, or one without tokens) is [CLS] text [SEP] in segment 0, in training
        and in scoring. A text without tokens is [CLS] [SEP].

        Args:
            texts: None or null counts as an empty text.
            previous: The utterance before each text.
            max_length: As in `encode`; at least 5.

        Raises:
            ValueError: `texts` and `previous` differ in length, or `max_length` is below 5.
        """
        strings = [*_strings(previous), *_strings(texts)]
        if len(strings) != 2 * len(texts):
            raise ValueError(f"{len(texts)} texts, but {len(previous)} previous texts")
        if max_length is not None and max_length < 5:
            raise ValueError(f"{max_length} tokens do not hold a pair: [CLS], a token, [SEP], a token, [SEP]")
        index = {text: i for i, text in enumerate(dict.fromkeys(strings))}  # most occur as text and as previous
        at = np.fromiter(map(index.__getitem__, strings), np.int64, len(strings))
        room = None if max_length is None else max_length - 2
        ids, lengths = self._pieces(list(index), room)
        starts = _starts(lengths)
        before, text = at[: len(texts)], at[len(texts) :]
        first, second = lengths[before], lengths[text]
        paired = (first > 0) & (second > 0)
        first_kept, second_kept = _longest_first(first, second, None if room is None else room - 1)
        first_kept = np.where(paired, first_kept, 0)
        second_kept = np.where(paired, second_kept, second if room is None else np.minimum(second, room))
        out, offsets = self._assemble(
            [(ids, starts[before], first_kept), (ids, starts[text], second_kept)], without_first=~paired
        )
        segments = _alternate(np.where(paired, first_kept, second_kept) + 2, np.where(paired, second_kept + 1, 0))
        return Encoded(out, offsets, (second_kept < second) | (paired & (first_kept < first)), segments)

    def unknown_share(self, texts: Sequence[str]) -> float:
        """Return the share of [UNK] among the tokens of texts, without special tokens."""
        ids, _ = self._pieces(list(texts), None)
        return float((ids == self.unk_id).mean()) if len(ids) else 0.0

    def _pieces(self, texts: list[str | None], room: int | None) -> tuple[Ids, Offsets]:
        """Return ids without special tokens, int32 [tokens], and their number per text, int64 [rows].

        Texts are encoded in slices, so that the Python part of one slice overlaps with the C++ part of another.

        Args:
            texts: None counts as an empty text.
            room: Tokens that are needed; a very long text may be cut, but not to `room` tokens or fewer.
        """
        if len(texts) <= _SLICE:
            return self._pieces_of_slice(texts, room)
        slices = [texts[i : i + _SLICE] for i in range(0, len(texts), _SLICE)]
        with ThreadPoolExecutor(self.threads) as pool:
            done = list(pool.map(lambda one: self._pieces_of_slice(one, room), slices))
        return np.concatenate([ids for ids, _ in done]), np.concatenate([lengths for _, lengths in done])

    def _assemble(
        self, parts: list[tuple[Ids, Offsets, Offsets]], without_first: NDArray[np.bool_] | None = None
    ) -> tuple[Ids, Offsets]:
        """Return ids and offsets of [CLS] part [SEP] (part [SEP]) for every row.

        Args:
            parts: (ids, first token of each row in ids, tokens to keep of each row).
            without_first: bool [rows], the rows without the first part and its [SEP].
        """
        total = 1 + sum(kept + 1 for _, _, kept in parts)
        if without_first is not None:
            total = total - without_first
        offsets = np.concatenate([[0], np.cumsum(total)]).astype(np.int64)
        out = np.empty(offsets[-1], np.int32)
        out[offsets[:-1]] = self.cls_id
        at = offsets[:-1] + 1  # start of the next part in each row
        for ids, starts, kept in parts:
            position = np.arange(int(kept.sum())) - np.repeat(np.cumsum(kept) - kept, kept)
            out[np.repeat(at, kept) + position] = ids[np.repeat(starts, kept) + position]
            at = at + kept
            out[at] = self.sep_id  # in a row without this part, the next part overwrites it
            at = at + 1
            if without_first is not None:
                at, without_first = at - without_first, None
        return out, offsets


def flat(rows: list[list[int]]) -> tuple[Ids, Offsets]:
    """Return the ids of all rows, concatenated, int32 [tokens], and their number per row, int64 [rows]."""
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    return np.fromiter(itertools.chain.from_iterable(rows), np.int32, int(lengths.sum())), lengths


def cut_long(texts: list[str], room: int | None, longest_piece: int | None) -> dict[int, str]:
    """Cut long texts in place, at a space, to a beginning that should have more than `room` tokens.

    If a beginning has at most `room` tokens after all (unknown words), the caller must encode the whole text.

    Args:
        texts: Cleaned texts, changed in place.
        room: Tokens that are needed; None: nothing is cut.
        longest_piece: Characters; None: pieces may span words, so a beginning has other pieces than the whole text,
            and nothing is cut.

    Returns:
        {row: whole text} of the rows that were cut.
    """
    whole: dict[int, str] = {}
    if room is None or longest_piece is None:
        return whole
    for row, text in enumerate(texts):
        if len(text) > _LONG:
            end = text.find(" ", max(_LONG, (room + 2) * longest_piece))
            if end >= 0:
                whole[row] = text
                texts[row] = text[:end]
    return whole


def _longest_first(a: Offsets, b: Offsets, room: int | None) -> tuple[Offsets, Offsets]:
    """Return the tokens to keep of the two texts of each pair: the longer text is cut first, the second on a tie."""
    if room is None:
        return a, b
    fits = a + b <= room
    kept_a = np.where(fits, a, np.where(a > b, np.maximum(room - b, (room + 1) // 2), np.minimum(a, (room + 1) // 2)))
    kept_b = np.where(fits, b, room - kept_a)
    return kept_a, kept_b


def _starts(lengths: Offsets) -> Offsets:
    """Return the first token of each row among the concatenated rows."""
    starts: Offsets = np.cumsum(lengths) - lengths
    return starts


def _alternate(zeros: Offsets, ones: Offsets) -> NDArray[np.int8]:
    """Return int8 [sum]: zeros[0] times 0, ones[0] times 1, zeros[1] times 0, and so on."""
    runs = np.stack([zeros, ones], axis=1).reshape(-1)
    return np.repeat(np.tile(np.array([0, 1], np.int8), len(zeros)), runs)


def _strings(texts: Iterable[str | None] | pa.Array | pa.ChunkedArray) -> list[str | None]:
    return python_values(texts) if isinstance(texts, (pa.Array, pa.ChunkedArray)) else list(texts)
