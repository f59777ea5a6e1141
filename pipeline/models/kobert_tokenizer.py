"""Tokenizes texts for KoBERT, with the same token ids as KoBERT's original tokenizer.

The original tokenizer is `KoBERTTokenizer` (SKTBrain/KoBERT, kobert_hf), a subclass of `XLNetTokenizer` in
transformers. It is not on PyPI, and it fails with current versions of transformers. Therefore this module implements
the same rules with `sentencepiece`. The tests compare the ids with ids that the original tokenizer returned
(tests/pipeline/models/golden/). The rules are:

1. Strip the text, and replace each run of white space with one space. Replace two backticks or two
   apostrophes with one double quote. Apply NFKD, and remove combining characters.
2. Encode the text with the SentencePiece model.
3. If a piece has several characters and ends in a digit and a comma (such as "10,"), remove the comma, encode the piece
   again, and add the comma as a separate piece. Unknown pieces become [UNK].
4. Add [CLS] and [SEP], and truncate. The characters "[SEP]" in a text never become a special token.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from pathlib import Path

import numpy as np
import sentencepiece

from emojob.pipeline.models import sentencepiece_file
from emojob.pipeline.models.tokenizer import SPECIAL_TOKENS, SURROGATE, Ids, Offsets, Tokenizer, cut_long, flat

WORD_MARK = "▁"

# Ranges of plain characters: (first, last). A text of plain characters skips rule 1, because rule 1 would not change
# the ids. But rule 1 is needed for a consonant before a vowel (ㅇㅏ becomes a syllable) and for two quotes in a row.
# Consonant clusters (ㄳ) are not plain, because NFKD turns them into final consonants.
_PLAIN = [(" ", "~"), ("가", "힣"), *((c, c) for c in "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"), ("ㅏ", "ㅣ")]
_NEEDS_CLEANING = re.compile(f"[^{''.join(f'{first}-{last}' for first, last in _PLAIN)}]|[ㄱ-ㅎ][ㅏ-ㅣ]|''|``")
# bool [code points]: True for each character outside the ranges in `_PLAIN`
_NOT_PLAIN = np.ones(sys.maxunicode + 1, bool)
for _first, _last in _PLAIN:
    _NOT_PLAIN[ord(_first) : ord(_last) + 1] = False
_DIGIT_COMMA = re.compile(r"\S,")
_MANY = 1 << 20  # number of characters above which `rows_to_clean` uses the regular expression


class KoBertTokenizer(Tokenizer):
    """KoBERT's tokenizer. The C++ library SentencePiece encodes the texts.

    Attributes:
        model_file: Path of the file that was read.
        content: The SentencePiece model in the order of KoBERT's ids: the content of spiece.model.
    """

    def __init__(self, model_file: str | os.PathLike[str], threads: int | None = None) -> None:
        """Read a SentencePiece model.

        Args:
            model_file: Path of spiece.model; of tokenizer_78b3253a26.model, with vocab.txt in the same folder; or of a
                tokenizer.json that emojob wrote.
            threads: Number of threads; None uses one thread per core.

        Raises:
            ValueError: The file is not a SentencePiece model, or KoBERT's special tokens are missing.
            OSError: The file cannot be read.
        """
        self.model_file = Path(model_file)
        self.files: tuple[Path, ...] = (self.model_file,)
        self._sp = sentencepiece.SentencePieceProcessor()
        try:
            self.content = self._read_model()
            self._sp.LoadFromSerializedProto(self.content)
        except RuntimeError as error:
            raise ValueError(f"{self.model_file} is not a SentencePiece model: give KoBERT's spiece.model") from error
        pieces = [self._sp.IdToPiece(i) for i in range(self._sp.GetPieceSize())]
        ids = {piece: i for i, piece in enumerate(pieces)}
        missing = [token for token in SPECIAL_TOKENS if token not in ids]
        if missing:
            raise ValueError(
                f"{self.model_file} lacks the special tokens {' '.join(missing)}: give KoBERT's spiece.model, or copy "
                f"the vocabulary (vocab.txt or kobertvocab_f38b8a4d6d.json) into the same folder"
            )
        super().__init__([ids[token] for token in SPECIAL_TOKENS], threads)
        self.vocab_size = len(pieces)
        self._control = {i for i in range(len(pieces)) if self._sp.IsControl(i)}
        self._ends_in_digit_comma = np.array([_ends_in_digit_comma(piece) for piece in pieces])
        self._comma_known = "," in ids
        # SentencePiece replaces each space with WORD_MARK. Long texts can be cut at a space if WORD_MARK occurs only at
        # the start of pieces.
        words_are_apart = WORD_MARK in ids and not any(WORD_MARK in piece[1:] for piece in pieces)
        self._longest_piece = max(map(len, pieces)) if words_are_apart else None
        # If the model treats several spaces as one space, as KoBERT does, a text of plain characters needs no cleaning.
        self._folds_spaces = self._sp.encode("  가  나 ", out_type=int) == self._sp.encode("가 나", out_type=int)

    def _read_model(self) -> bytes:
        """Return the SentencePiece model with KoBERT's ids, and add the vocabulary file to `files` if one was used."""
        if self.model_file.suffix == ".json":
            return sentencepiece_file.from_tokenizer_json(self.model_file) or b""
        content = self.model_file.read_bytes()
        try:
            ordered = sentencepiece_file.of_gluonnlp(self.model_file, content)
        except UnicodeDecodeError:
            ordered = None  # not a SentencePiece model; SentencePiece says so
        if ordered is None:
            return content
        self.files = (self.model_file, ordered[1])
        return ordered[0]

    def _pieces_of_slice(self, texts: list[str | None], room: int | None) -> tuple[Ids, Offsets]:
        cleaned = [text or "" for text in texts]
        for row in rows_to_clean(cleaned) if self._folds_spaces else range(len(cleaned)):
            cleaned[row] = clean(cleaned[row])
        cut = cut_long(cleaned, room, self._longest_piece)
        rows: list[list[int]] = self._sp.encode(cleaned, out_type=int, num_threads=1)
        for row, whole in cut.items():
            if room is not None and len(rows[row]) <= room:
                cleaned[row] = whole
                rows[row] = self._sp.encode(whole, out_type=int)
        ids, lengths = flat(rows)
        to_split = self._rows_with_digit_comma(cleaned, ids, lengths)
        if not to_split:
            return ids, lengths
        for row in to_split:
            rows[row] = self._split_commas(cleaned[row])
        return flat(rows)

    def _rows_with_digit_comma(self, cleaned: list[str], ids: Ids, lengths: Offsets) -> list[int]:
        """Return the indexes of the rows that may have a comma after a digit (see rule 3 of the module)."""
        hits = np.flatnonzero(self._ends_in_digit_comma[ids])
        rows = set(np.searchsorted(np.cumsum(lengths), hits, side="right").tolist())
        if not self._comma_known:  # if the vocabulary has no comma, an [UNK] piece may contain a comma
            unknown = np.searchsorted(np.cumsum(lengths), np.flatnonzero(ids == self.unk_id), side="right")
            rows.update(row for row in np.unique(unknown).tolist() if _DIGIT_COMMA.search(cleaned[row]))
        return sorted(rows)

    def _split_commas(self, text: str) -> list[int]:
        """Return the ids of a cleaned text. Commas after digits are separate pieces (see rule 3 of the module)."""
        split: list[str] = []
        for piece in self._sp.encode(text, out_type=str):
            if not _ends_in_digit_comma(piece):
                split.append(piece)
                continue
            again = self._sp.encode(piece[:-1].replace(WORD_MARK, ""), out_type=str)
            if again and not piece.startswith(WORD_MARK) and again[0].startswith(WORD_MARK):
                again = again[1:] if again[0] == WORD_MARK else [again[0][1:], *again[1:]]
            split += [*again, ","]
        ids = [self._sp.PieceToId(piece) for piece in split]
        return [self.unk_id if i in self._control else i for i in ids]


def rows_to_clean(texts: list[str]) -> list[int]:
    """Return the row numbers of the texts that match `_NEEDS_CLEANING`.

    NumPy is five times as fast as the regular expression, and several threads can use NumPy in parallel. But NumPy
    needs 14 bytes per character. Therefore the regular expression is used for more than `_MANY` characters.
    """
    if sum(map(len, texts)) > _MANY:
        return [row for row, text in enumerate(texts) if _NEEDS_CLEANING.search(text)]
    joined = " ".join(texts)
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    hits = _NOT_PLAIN[codes]
    before, after = codes[:-1], codes[1:]
    joins = (before >= ord("ㄱ")) & (before <= ord("ㅎ")) & (after >= ord("ㅏ")) & (after <= ord("ㅣ"))
    hits[:-1] |= joins | ((before == after) & ((before == ord("'")) | (before == ord("`"))))
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)) + 1)
    rows: list[int] = np.unique(np.searchsorted(ends, np.flatnonzero(hits), side="right")).tolist()
    return rows


def clean(text: str) -> str:
    """Normalize the white space, the quotes and the characters of a text (see rule 1 of the module)."""
    text = " ".join(text.split())
    if not _NEEDS_CLEANING.search(text):
        return text
    text = SURROGATE.sub("\ufffd", text).replace("``", '"').replace("''", '"')
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _ends_in_digit_comma(piece: str) -> bool:
    return len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit()
