"""KoBERT's tokenizer: exactly the ids that KoBERT was trained with, a whole row batch at a time.

The rules are those of `KoBERTTokenizer` (SKTBrain/KoBERT, kobert_hf), a descendant of transformers'
`XLNetTokenizer`; that package is in no registry and breaks on current transformers, so its behaviour lives
here, on `sentencepiece`. tests/pipeline/golden/ holds ids made with the original.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from pathlib import Path

import numpy as np
import sentencepiece

from emojob.pipeline.models.tokenizer import SPECIAL_TOKENS, SURROGATE, Ids, Offsets, Tokenizer, cut_long, flat

WORD_MARK = "▁"

# A text of these characters alone comes out of NFKD and SentencePiece's own normaliser the same as out of the
# latter alone, so the slow step is skipped. Not among them: consonant clusters (ㄳ), which NFKD turns into
# finals, a consonant before a vowel (ㅇㅏ), which it joins into a syllable, and the doubled quotes of rule 1.
_PLAIN = [(" ", "~"), ("가", "힣"), *((c, c) for c in "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"), ("ㅏ", "ㅣ")]
_NEEDS_CARE = re.compile(f"[^{''.join(f'{first}-{last}' for first, last in _PLAIN)}]|[ㄱ-ㅎ][ㅏ-ㅣ]|''|``")
_CARE = np.ones(sys.maxunicode + 1, bool)  # the same for a character alone
for _first, _last in _PLAIN:
    _CARE[ord(_first) : ord(_last) + 1] = False
_DIGIT_COMMA = re.compile(r"\S,")
_MANY = 1 << 20  # characters; of more the arithmetic would take 14 bytes for each


class KoBertTokenizer(Tokenizer):
    """Texts to token ids, by KoBERT's rules, in C++ threads.

    Raises ValueError where `model_file` is not a SentencePiece model that has KoBERT's special tokens.
    """

    def __init__(self, model_file: str | os.PathLike[str], threads: int | None = None) -> None:
        self.model_file = Path(model_file)
        self.files = (self.model_file,)
        self._sp = sentencepiece.SentencePieceProcessor()
        try:
            self._sp.LoadFromSerializedProto(self.model_file.read_bytes())
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{self.model_file} is not a SentencePiece model") from error
        pieces = [self._sp.IdToPiece(i) for i in range(self._sp.GetPieceSize())]
        ids = {piece: i for i, piece in enumerate(pieces)}
        missing = [token for token in SPECIAL_TOKENS if token not in ids]
        if missing:
            raise ValueError(f"{self.model_file} lacks the special tokens {' '.join(missing)}")
        super().__init__([ids[token] for token in SPECIAL_TOKENS], threads)
        self.vocab_size = len(pieces)
        self._control = {i for i in range(len(pieces)) if self._sp.IsControl(i)}
        self._ends_in_digit_comma = np.array([_ends_in_digit_comma(piece) for piece in pieces])
        self._comma_known = "," in ids
        # Where no piece reaches over a word boundary, the words of a text's beginning are encoded as in the whole.
        words_are_apart = WORD_MARK in ids and not any(WORD_MARK in piece[1:] for piece in pieces)
        self._longest_piece = max(map(len, pieces)) if words_are_apart else None
        # KoBERT's model folds spaces itself; then a text of harmless characters needs no cleaning at all.
        self._folds_spaces = self._sp.encode("  가  나 ", out_type=int) == self._sp.encode("가 나", out_type=int)

    def _pieces_of_slice(self, texts: list[str | None], room: int | None) -> tuple[Ids, Offsets]:
        cleaned = [text or "" for text in texts]
        for row in rows_in_need_of_care(cleaned) if self._folds_spaces else range(len(cleaned)):
            cleaned[row] = clean(cleaned[row])
        cut = cut_long(cleaned, room, self._longest_piece)
        rows: list[list[int]] = self._sp.encode(cleaned, out_type=int, num_threads=1)
        for row, whole in cut.items():
            if room is not None and len(rows[row]) <= room:
                cleaned[row] = whole
                rows[row] = self._sp.encode(whole, out_type=int)
        ids, lengths = flat(rows)
        respelt = self._rows_with_digit_comma(cleaned, ids, lengths)
        if not respelt:
            return ids, lengths
        for row in respelt:
            rows[row] = self._split_commas(cleaned[row])
        return flat(rows)

    def _rows_with_digit_comma(self, cleaned: list[str], ids: Ids, lengths: Offsets) -> list[int]:
        """The rows in which a piece of more than one character ends in a comma behind a digit (rule 3)."""
        hits = np.flatnonzero(self._ends_in_digit_comma[ids])
        rows = set(np.searchsorted(np.cumsum(lengths), hits, side="right").tolist())
        if not self._comma_known:  # then such a piece may be an unknown one
            unknown = np.searchsorted(np.cumsum(lengths), np.flatnonzero(ids == self.unk_id), side="right")
            rows.update(row for row in np.unique(unknown).tolist() if _DIGIT_COMMA.search(cleaned[row]))
        return sorted(rows)

    def _split_commas(self, text: str) -> list[int]:
        """The ids of one cleaned text, with rule 3 applied piece by piece."""
        spelt: list[str] = []
        for piece in self._sp.encode(text, out_type=str):
            if not _ends_in_digit_comma(piece):
                spelt.append(piece)
                continue
            again = self._sp.encode(piece[:-1].replace(WORD_MARK, ""), out_type=str)
            if again and not piece.startswith(WORD_MARK) and again[0].startswith(WORD_MARK):
                again = again[1:] if again[0] == WORD_MARK else [again[0][1:], *again[1:]]
            spelt += [*again, ","]
        ids = [self._sp.PieceToId(piece) for piece in spelt]
        return [self.unk_id if i in self._control else i for i in ids]


def rows_in_need_of_care(texts: list[str]) -> list[int]:
    """The texts in which `_NEEDS_CARE` finds something, by arithmetic: thread beside thread, and five times as fast."""
    if sum(map(len, texts)) > _MANY:
        return [row for row, text in enumerate(texts) if _NEEDS_CARE.search(text)]
    joined = " ".join(texts)
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    hits = _CARE[codes]
    before, after = codes[:-1], codes[1:]
    joins = (before >= ord("ㄱ")) & (before <= ord("ㅎ")) & (after >= ord("ㅏ")) & (after <= ord("ㅣ"))
    hits[:-1] |= joins | ((before == after) & ((before == ord("'")) | (before == ord("`"))))
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)) + 1)
    rows: list[int] = np.unique(np.searchsorted(ends, np.flatnonzero(hits), side="right")).tolist()
    return rows


def clean(text: str) -> str:
    """Rule 1: fold white space, straighten doubled quotes, NFKD without combining characters."""
    text = " ".join(text.split())
    if not _NEEDS_CARE.search(text):
        return text
    text = SURROGATE.sub("\ufffd", text).replace("``", '"').replace("''", '"')
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _ends_in_digit_comma(piece: str) -> bool:
    return len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit()
