"""Token ids of texts, and what every tokenizer has in common: how ids become the sequences that BERT reads.

A tokenizer of a kind of its own (KoBERT's SentencePiece, BERT's WordPiece) knows how a text becomes ids; special
tokens, pairs and lengths are the same for all of them and are dealt with here, a whole row batch at a time.
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

_SLICE = 4096  # texts
_LONG = 4096  # characters; a longer text is encoded from its beginning only, where that is exact


@dataclass(frozen=True)
class Encoded:
    """The token ids of some texts, one after the other.

    ids: int32 [tokens]; offsets: int64 [rows + 1], row i is ids[offsets[i]:offsets[i + 1]];
    segments: int8 [tokens], 1 from behind a pair's first [SEP] on, None for single texts;
    truncated: bool [rows], whether tokens were left out to keep to the maximum length.
    """

    ids: Ids
    offsets: Offsets
    truncated: NDArray[np.bool_]
    segments: NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Offsets:
        """int64 [rows]: tokens of each row, [CLS] and [SEP] among them."""
        return np.diff(self.offsets)

    def tolist(self) -> list[list[int]]:
        """One list of ids a text."""
        return [row.tolist() for row in np.split(self.ids, self.offsets[1:-1])] if len(self) else []


class Tokenizer(abc.ABC):
    """Texts to token ids in threads; a subclass says how texts become ids.

    files: what it was read from; vocab_size: the number of its pieces; specials: the ids of [UNK] [PAD] [CLS] [SEP]
    [MASK].
    """

    files: tuple[Path, ...]
    vocab_size: int

    def __init__(self, specials: Sequence[int], threads: int | None) -> None:
        self.unk_id, self.pad_id, self.cls_id, self.sep_id, self.mask_id = specials
        self.threads = threads or os.cpu_count() or 1

    @abc.abstractmethod
    def _pieces_of_slice(self, texts: list[str | None], room: int | None) -> tuple[Ids, Offsets]:
        """What `_pieces` gives, for some thousand texts."""

    def encode(
        self,
        texts: Sequence[str | None] | pa.Array | pa.ChunkedArray,
        max_length: int | None = 64,
        second: Sequence[str | None] | pa.Array | pa.ChunkedArray | None = None,
    ) -> Encoded:
        """Encode texts, or pairs of texts where `second` is given; None counts as an empty text.

        max_length: tokens, [CLS] and [SEP] among them; None for no limit. A single text keeps its beginning,
        a pair loses tokens from the end of the longer of the two first.
        """
        room = None if max_length is None else max(0, max_length - (2 if second is None else 3))
        first_ids, first_lengths = self._pieces(_strings(texts), room)
        if second is None:
            kept = first_lengths if room is None else np.minimum(first_lengths, room)
            ids, offsets = self._assemble([(first_ids, _begins(first_lengths), kept)])
            return Encoded(ids, offsets, kept < first_lengths)
        second_ids, second_lengths = self._pieces(_strings(second), room)
        if len(first_lengths) != len(second_lengths):
            raise ValueError(f"{len(first_lengths)} texts, but {len(second_lengths)} second texts")
        kept, second_kept = _longest_first(first_lengths, second_lengths, room)
        ids, offsets = self._assemble(
            [(first_ids, _begins(first_lengths), kept), (second_ids, _begins(second_lengths), second_kept)]
        )
        segments = _alternate(kept + 2, second_kept + 1)
        return Encoded(ids, offsets, (kept < first_lengths) | (second_kept < second_lengths), segments)

    def encode_with_previous(
        self,
        texts: Sequence[str | None] | pa.Array | pa.ChunkedArray,
        previous: Sequence[str | None] | pa.Array | pa.ChunkedArray,
        max_length: int | None = 64,
    ) -> Encoded:
        """Encode each text behind the utterance before it: [CLS] previous [SEP] text [SEP], in the segments 0 and 1.

        A text without a previous one (None, or one of no token) stands alone, as [CLS] text [SEP] in the segment 0:
        in training as in scoring. A text of no token is [CLS] [SEP]. max_length: as in `encode`, 5 at least.
        """
        strings = [*_strings(previous), *_strings(texts)]
        if len(strings) != 2 * len(texts):
            raise ValueError(f"{len(texts)} texts, but {len(previous)} previous texts")
        if max_length is not None and max_length < 5:
            raise ValueError(f"{max_length} tokens do not hold a pair: [CLS], a token, [SEP], a token, [SEP]")
        place = {text: i for i, text in enumerate(dict.fromkeys(strings))}  # most are a text and then a previous one
        at = np.fromiter(map(place.__getitem__, strings), np.int64, len(strings))
        room = None if max_length is None else max_length - 2
        ids, lengths = self._pieces(list(place), room)
        begins = _begins(lengths)
        before, text = at[: len(texts)], at[len(texts) :]
        first, second = lengths[before], lengths[text]
        paired = (first > 0) & (second > 0)
        first_kept, second_kept = _longest_first(first, second, None if room is None else room - 1)
        first_kept = np.where(paired, first_kept, 0)
        second_kept = np.where(paired, second_kept, second if room is None else np.minimum(second, room))
        out, offsets = self._assemble(
            [(ids, begins[before], first_kept), (ids, begins[text], second_kept)], without_first=~paired
        )
        segments = _alternate(np.where(paired, first_kept, second_kept) + 2, np.where(paired, second_kept + 1, 0))
        return Encoded(out, offsets, (second_kept < second) | (paired & (first_kept < first)), segments)

    def unknown_share(self, texts: Sequence[str]) -> float:
        """The share of [UNK] among the tokens of `texts`, special tokens left out."""
        ids, _ = self._pieces(list(texts), None)
        return float((ids == self.unk_id).mean()) if len(ids) else 0.0

    def _pieces(self, texts: list[str | None], room: int | None) -> tuple[Ids, Offsets]:
        """Ids without special tokens, int32 [tokens], and their number for each text, int64 [rows].

        With `room`, a very long text may come back shorter than it is, but longer than `room`. Many texts are worked
        on in slices, so that Python's share of one is done while C++ works on another.
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
        """[CLS] part [SEP] (part [SEP]) of every row; a part is (ids, where each begins, how many of each to keep).

        without_first: bool [rows], the rows that lack the first part and its [SEP].
        """
        total = 1 + sum(kept + 1 for _, _, kept in parts)
        if without_first is not None:
            total = total - without_first
        offsets = np.concatenate([[0], np.cumsum(total)]).astype(np.int64)
        out = np.empty(offsets[-1], np.int32)
        out[offsets[:-1]] = self.cls_id
        at = offsets[:-1] + 1  # where the next part of each row begins
        for ids, begins, kept in parts:
            within = np.arange(int(kept.sum())) - np.repeat(np.cumsum(kept) - kept, kept)
            out[np.repeat(at, kept) + within] = ids[np.repeat(begins, kept) + within]
            at = at + kept
            out[at] = self.sep_id  # where a row lacks this part, what comes next is written over it
            at = at + 1
            if without_first is not None:
                at, without_first = at - without_first, None
        return out, offsets


def flat(rows: list[list[int]]) -> tuple[Ids, Offsets]:
    """The ids of all rows one behind the other, int32 [tokens], and their number in each, int64 [rows]."""
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    return np.fromiter(itertools.chain.from_iterable(rows), np.int32, int(lengths.sum())), lengths


def cut_long(texts: list[str], room: int | None, longest_piece: int | None) -> dict[int, str]:
    """Cut long texts in place, behind a word, to what surely holds more than `room` tokens: {row: whole text}.

    longest_piece: characters; None where pieces reach over words, so that a beginning has other pieces than the whole.
    Where the beginning comes to no more than `room` tokens after all (unknown words), the whole must be encoded.
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
    """How many tokens of each pair's two texts stay, the longer losing its end first and the second on a tie."""
    if room is None:
        return a, b
    fits = a + b <= room
    kept_a = np.where(fits, a, np.where(a > b, np.maximum(room - b, (room + 1) // 2), np.minimum(a, (room + 1) // 2)))
    kept_b = np.where(fits, b, room - kept_a)
    return kept_a, kept_b


def _begins(lengths: Offsets) -> Offsets:
    """Where each row begins in what is put one behind the other."""
    begins: Offsets = np.cumsum(lengths) - lengths
    return begins


def _alternate(zeros: Offsets, ones: Offsets) -> NDArray[np.int8]:
    """int8 [sum]: zeros[0] times 0, ones[0] times 1, zeros[1] times 0, ..."""
    runs = np.stack([zeros, ones], axis=1).reshape(-1)
    return np.repeat(np.tile(np.array([0, 1], np.int8), len(zeros)), runs)


def _strings(texts: Iterable[str | None] | pa.Array | pa.ChunkedArray) -> list[str | None]:
    return python_values(texts) if isinstance(texts, (pa.Array, pa.ChunkedArray)) else list(texts)
