"""Defines the base class `Tokenizer`, which builds BERT's input sequences from texts.

A subclass (`KoBertTokenizer` or `WordPieceTokenizer`) turns texts into token ids. The base class adds special tokens,
joins pairs of texts, and truncates.
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
_LONG = 4096  # number of characters above which `cut_long` may cut a text


@dataclass(frozen=True)
class Encoded:
    """Concatenated token ids of texts or of pairs of texts.

    Attributes:
        ids: int32 [tokens], the concatenated token ids.
        offsets: int64 [rows + 1]; row i is ids[offsets[i]:offsets[i + 1]].
        truncated: bool [rows], True if a text of the row was cut to the maximum length.
        segments: int8 [tokens], segment ids: 1 for the second text of a pair and the [SEP] after it, else 0. None if
            only single texts were encoded.
    """

    ids: Ids
    offsets: Offsets
    truncated: NDArray[np.bool_]
    segments: NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Offsets:
        """Number of tokens in each row, including [CLS] and [SEP]: int64 [rows]."""
        return np.diff(self.offsets)

    def tolist(self) -> list[list[int]]:
        """Return a list of token ids for each row."""
        return [row.tolist() for row in np.split(self.ids, self.offsets[1:-1])] if len(self) else []


class Tokenizer(abc.ABC):
    """Base class of the tokenizers. Subclasses implement `_pieces_of_slice`, which is called in several threads.

    Attributes:
        files: Paths of the files that the tokenizer was read from.
        vocab_size: Size of the vocabulary (number of pieces).
    """

    files: tuple[Path, ...]
    vocab_size: int

    def __init__(self, specials: Sequence[int], threads: int | None) -> None:
        """Set up the special tokens.

        Args:
            specials: Ids of [UNK], [PAD], [CLS], [SEP] and [MASK], in this order.
            threads: Number of threads; None uses one thread per core.
        """
        self.unk_id, self.pad_id, self.cls_id, self.sep_id, self.mask_id = specials
        self.threads = threads or os.cpu_count() or 1

    @abc.abstractmethod
    def _pieces_of_slice(self, texts: list[str | None], room: int | None) -> tuple[Ids, Offsets]:
        """Return the ids of at most `_SLICE` texts. Arguments and result: see `_pieces`."""

    def encode(
        self,
        texts: Sequence[str | None] | pa.Array | pa.ChunkedArray,
        max_length: int | None = 64,
        second: Sequence[str | None] | pa.Array | pa.ChunkedArray | None = None,
    ) -> Encoded:
        """Encode texts, or pairs of texts if `second` is given.

        Args:
            texts: The texts. None and null count as empty texts.
            max_length: Maximum number of tokens, including [CLS] and [SEP]; None means no limit. Texts are cut at the
                end. In a pair, the longer text is cut first.
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
            raise ValueError(
                f"`texts` has {len(first_lengths)} rows, but `second` has {len(second_lengths)}: give one row in "
                f"`second` for each row in `texts`"
            )
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
        """Encode each text as a pair with the previous utterance.

        - A row is usually [CLS] previous utterance [SEP] in segment 0, then text [SEP] in segment 1.
        - If the previous utterance is None or has no tokens, the row is [CLS] text [SEP] in segment 0.
        - If the text has no tokens, the row is [CLS] [SEP] in segment 0.

        Args:
            texts: The texts. None and null count as empty texts.
            previous: The utterance before each text.
            max_length: As in `encode`; at least 5.

        Raises:
            ValueError: `texts` and `previous` differ in length, or `max_length` is below 5.
        """
        strings = [*_strings(previous), *_strings(texts)]
        if len(strings) != 2 * len(texts):
            raise ValueError(
                f"`texts` has {len(texts)} rows, but `previous` has {len(previous)}: give one row in `previous` for "
                f"each row in `texts`"
            )
        if max_length is not None and max_length < 5:
            raise ValueError(
                f"max_length is {max_length}: give at least 5, for [CLS], two [SEP], and one token of each text"
            )
        # Most texts are also the previous utterance of another row, so each different text is encoded only once.
        index = {text: i for i, text in enumerate(dict.fromkeys(strings))}
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
        """Return the share of [UNK] among the tokens of the texts, from 0 to 1. [CLS] and [SEP] are not counted."""
        ids, _ = self._pieces(list(texts), None)
        return float((ids == self.unk_id).mean()) if len(ids) else 0.0

    def _pieces(self, texts: list[str | None], room: int | None) -> tuple[Ids, Offsets]:
        """Return the ids without special tokens, int32 [tokens], and the number of ids per text, int64 [rows].

        More than `_SLICE` texts are encoded in several threads.

        Args:
            texts: The texts. None is an empty text.
            room: Number of tokens that the caller needs per text; None: all tokens. For a very long text, the result
                may lack tokens at the end, but has more than `room` tokens.
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
        """Return the ids and offsets of all rows. A row is [CLS] text [SEP], or [CLS] text [SEP] text [SEP].

        Args:
            parts: One tuple that covers the first texts of all rows; for pairs, a second tuple that covers the second
                texts. Each tuple is (token ids, start of each text in the token ids, tokens to keep per text).
            without_first: bool [rows], True if the row must contain only the second text.
        """
        total = 1 + sum(kept + 1 for _, _, kept in parts)
        if without_first is not None:
            total = total - without_first
        offsets = np.concatenate([[0], np.cumsum(total)]).astype(np.int64)
        out = np.empty(offsets[-1], np.int32)
        out[offsets[:-1]] = self.cls_id
        at = offsets[:-1] + 1  # index in `out` where the next text of each row starts
        for ids, starts, kept in parts:
            position = np.arange(int(kept.sum())) - np.repeat(np.cumsum(kept) - kept, kept)
            out[np.repeat(at, kept) + position] = ids[np.repeat(starts, kept) + position]
            at = at + kept
            out[at] = self.sep_id  # overwritten below in rows without a first text
            at = at + 1
            if without_first is not None:
                at, without_first = at - without_first, None
        return out, offsets


def flat(rows: list[list[int]]) -> tuple[Ids, Offsets]:
    """Concatenate rows of ids. Return the ids, int32 [tokens], and the number of ids per row, int64 [rows]."""
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    return np.fromiter(itertools.chain.from_iterable(rows), np.int32, int(lengths.sum())), lengths


def cut_long(texts: list[str], room: int | None, longest_piece: int | None) -> dict[int, str]:
    """Cut very long texts at a space, because the caller needs only the first `room` tokens of each text.

    A cut text usually has more than `room` tokens. A cut text with many unknown words can have fewer tokens. Then the
    caller must encode the uncut text.

    Args:
        texts: Cleaned texts. Cut texts replace the long texts in this list.
        room: Number of tokens that the caller needs per text. None: cut nothing.
        longest_piece: Number of characters of the longest piece. None: cut nothing, because pieces may contain spaces.

    Returns:
        {row number: uncut text} for each text that was cut.
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
    """Return two arrays, int64 [pairs]: how many tokens of the first text and of the second text to keep.

    The longer text of a pair is cut first. If the texts are equally long, the second text is cut first.

    Args:
        a: int64 [pairs], number of tokens of each first text.
        b: int64 [pairs], number of tokens of each second text.
        room: Maximum number of tokens of a pair; None means no limit.
    """
    if room is None:
        return a, b
    fits = a + b <= room
    kept_a = np.where(fits, a, np.where(a > b, np.maximum(room - b, (room + 1) // 2), np.minimum(a, (room + 1) // 2)))
    kept_b = np.where(fits, b, room - kept_a)
    return kept_a, kept_b


def _starts(lengths: Offsets) -> Offsets:
    """Return the index of each row's first token in the concatenated rows: int64 [rows]."""
    starts: Offsets = np.cumsum(lengths) - lengths
    return starts


def _alternate(zeros: Offsets, ones: Offsets) -> NDArray[np.int8]:
    """Return the segment ids of all rows in one array, int8 [tokens].

    Args:
        zeros: int64 [rows], number of tokens in segment 0 at the start of each row.
        ones: int64 [rows], number of tokens in segment 1 at the end of each row.
    """
    runs = np.stack([zeros, ones], axis=1).reshape(-1)
    return np.repeat(np.tile(np.array([0, 1], np.int8), len(zeros)), runs)


def _strings(texts: Iterable[str | None] | pa.Array | pa.ChunkedArray) -> list[str | None]:
    return python_values(texts) if isinstance(texts, (pa.Array, pa.ChunkedArray)) else list(texts)
