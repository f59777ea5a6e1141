"""Reads the WordPiece tokenizer of a BERT model from tokenizer.json or vocab.txt.

If tokenizer.json is missing, this module builds a tokenizer with BERT's rules (Devlin et al., 2019) from the pieces in
vocab.txt and the settings in tokenizer_config.json. By default, text is not lower-cased, and accents are kept. Removing
accents would decompose Hangul.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer as FastTokenizer
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from emojob.pipeline.models.tokenizer import SPECIAL_TOKENS, SURROGATE, Ids, Offsets, Tokenizer, cut_long, flat

_LONGEST_WORD = 100  # number of characters; a longer word becomes [UNK]


class WordPieceTokenizer(Tokenizer):
    """A WordPiece tokenizer. The Rust library `tokenizers` encodes the texts."""

    def __init__(self, folder: Path, threads: int | None = None) -> None:
        """Read a tokenizer from a model folder.

        Args:
            folder: A folder with tokenizer.json or vocab.txt.
            threads: Number of threads; None uses one thread per core.

        Raises:
            ValueError: The tokenizer is not a WordPiece tokenizer, or BERT's special tokens are missing.
            OSError: A file cannot be read.
        """
        whole = folder / "tokenizer.json"
        self.files = (whole,) if whole.exists() else (folder / "vocab.txt",)
        self._fast = _from_json(whole) if whole.exists() else _from_vocabulary(folder)
        vocabulary = self._fast.get_vocab()
        missing = [token for token in SPECIAL_TOKENS if token not in vocabulary]
        if missing:
            raise ValueError(
                f"{self.files[0].name} lacks the special tokens {' '.join(missing)}: use the tokenizer of a BERT model"
            )
        super().__init__([vocabulary[token] for token in SPECIAL_TOKENS], threads)
        self.vocab_size = max(vocabulary.values()) + 1
        self._fast.no_truncation()
        self._fast.no_padding()
        self._fast.encode_special_tokens = True  # the characters "[SEP]" in a dialogue remain ordinary text

    def as_json(self) -> str:
        """Return the content of a tokenizer.json that `transformers` can load."""
        return str(self._fast.to_str(pretty=True))

    def _pieces_of_slice(self, texts: list[str | None], room: int | None) -> tuple[Ids, Offsets]:
        cleaned = [SURROGATE.sub("\ufffd", " ".join((text or "").split())) for text in texts]
        cut = cut_long(cleaned, room, _LONGEST_WORD)
        rows = [one.ids for one in self._fast.encode_batch_fast(cleaned, add_special_tokens=False)]
        for row, whole in cut.items():
            if room is not None and len(rows[row]) <= room:
                rows[row] = self._fast.encode(whole, add_special_tokens=False).ids
        ids, lengths = flat(rows)
        control = np.isin(ids, (self.pad_id, self.cls_id, self.sep_id, self.mask_id))
        return np.where(control, np.int32(self.unk_id), ids), lengths


def _from_json(file: Path) -> FastTokenizer:
    model = _json_object(file).get("model")
    kind = model.get("type") if isinstance(model, dict) else None
    if kind != "WordPiece":
        raise ValueError(f"{file.name} has a tokenizer of type {kind!r}; only 'WordPiece' is supported")
    try:
        return FastTokenizer.from_file(str(file))
    except Exception as error:  # `tokenizers` raises Exception itself, not a subclass
        raise ValueError(f"{file.name} is damaged, or needs a newer version of `tokenizers`: {error}") from None


def _from_vocabulary(folder: Path) -> FastTokenizer:
    """Return BERT's tokenizer with the pieces in vocab.txt, one piece per line."""
    pieces = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    vocabulary = {piece.rstrip("\r"): i for i, piece in enumerate(pieces) if piece.strip()}
    missing = [token for token in ("[UNK]", "[CLS]", "[SEP]") if token not in vocabulary]
    if missing:
        raise ValueError(f"vocab.txt lacks the special tokens {' '.join(missing)}: use the vocab.txt of a BERT model")
    settings = _json_object(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").exists() else {}
    lower_case = bool(settings.get("do_lower_case", False))
    strip_accents = settings.get("strip_accents")
    unknown = SPECIAL_TOKENS[0]
    fast = FastTokenizer(models.WordPiece(vocabulary, unk_token=unknown, max_input_chars_per_word=_LONGEST_WORD))
    fast.normalizer = normalizers.BertNormalizer(
        handle_chinese_chars=bool(settings.get("tokenize_chinese_chars", True)),
        strip_accents=lower_case if strip_accents is None else bool(strip_accents),
        lowercase=lower_case,
    )
    fast.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    fast.decoder = decoders.WordPiece()
    fast.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    fast.add_special_tokens([token for token in SPECIAL_TOKENS if token in vocabulary])
    return fast


def _json_object(file: Path) -> dict[str, Any]:
    found = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"{file.name} is not a JSON object")
    return found
