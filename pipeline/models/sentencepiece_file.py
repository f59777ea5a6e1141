"""Builds the SentencePiece model of KoBERT from other files that contain the same pieces.

- `transformers` saves tokenizer.json only. Its pieces and scores make a SentencePiece model (`from_tokenizer_json`).
- KoBERT of the gluonnlp era has two files: a SentencePiece model without KoBERT's special tokens
  (tokenizer_78b3253a26.model), and the vocabulary with the ids (vocab.txt, or kobertvocab_f38b8a4d6d.json).
  `with_vocabulary` puts the pieces into the order of the vocabulary.

Which pieces a text is split into depends on the pieces and their scores only, not on their order.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from emojob.pipeline.models.tokenizer import SPECIAL_TOKENS

#: Names of the vocabulary files of the gluonnlp era.
VOCABULARIES = ("vocab.txt", "kobertvocab_f38b8a4d6d.json")

_UNKNOWN, _NORMAL, _CONTROL = 2, 1, 3  # field `type` of a piece
_UNK_PIECE = 45  # field number in trainer_spec

# The steps of the normalizer in a tokenizer.json that emojob wrote: (type, replaced text, new text). None: any value.
_STEPS: tuple[tuple[str, str | None, str | None], ...] = (
    ("Replace", None, " "), ("Strip", None, None), ("Replace", "``", '"'), ("Replace", "''", '"'),
    ("NFKD", None, None), ("Replace", None, ""), ("NFC", None, None), ("Precompiled", None, None),
    ("Replace", " {2,}", " "), ("Strip", None, None), ("Prepend", None, None), ("Replace", " ", "▁"),
)  # fmt: skip


def from_tokenizer_json(file: Path) -> bytes | None:
    """Return the SentencePiece model for a tokenizer.json that emojob wrote, also if `transformers` saved it again.

    Args:
        file: Path of tokenizer.json.

    Returns:
        The content of spiece.model; None if the file contains a tokenizer of another type than Unigram.

    Raises:
        ValueError: The file is not a tokenizer.json, or the Unigram tokenizer is not one that emojob wrote.
        OSError: The file cannot be read.
    """
    content = json.loads(file.read_text(encoding="utf-8"))
    model = content.get("model") if isinstance(content, dict) else None
    if not isinstance(model, dict) or model.get("type") != "Unigram":
        return None
    normalizer = content.get("normalizer")
    steps = normalizer.get("normalizers") if isinstance(normalizer, dict) else None
    if not isinstance(steps, list) or content.get("pre_tokenizer") is not None or model.get("byte_fallback"):
        raise ValueError(_not_ours(file))
    table = _precompiled(steps, file)
    try:
        pieces = [(str(piece), float(score)) for piece, score in model["vocab"]]
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{file.name} has no list of pieces and scores") from None
    normalizer_spec = _field(2, table) if table else b""
    return _model([(piece, 0.0 if piece in SPECIAL_TOKENS else score) for piece, score in pieces], b"", normalizer_spec)


def _precompiled(steps: list[Any], file: Path) -> bytes:
    """Return SentencePiece's table of characters from the steps of a normalizer. Raises ValueError for other steps."""
    wanted = [step for step in _STEPS if step[0] != "Precompiled" or len(steps) == len(_STEPS)]
    if len(steps) != len(wanted):
        raise ValueError(_not_ours(file))
    table = b""
    for step, (kind, old, new) in zip(steps, wanted, strict=True):
        pattern = step.get("pattern") if isinstance(step, dict) else None
        replaced = next(iter(pattern.values()), None) if isinstance(pattern, dict) else None
        fits = isinstance(step, dict) and step.get("type") == kind
        if not fits or (old is not None and replaced != old) or (new is not None and step.get("content") != new):
            raise ValueError(_not_ours(file))
        if kind == "Precompiled":
            try:
                table = base64.b64decode(step["precompiled_charsmap"])
            except (KeyError, TypeError, binascii.Error):
                raise ValueError(_not_ours(file)) from None
    return table


def _not_ours(file: Path) -> str:
    return (
        f"{file.name} is a Unigram tokenizer with other rules than KoBERT's, so its ids are not those of the training"
    )


def read_vocabulary(file: Path) -> list[str]:
    """Return the tokens of a vocabulary file in the order of their ids.

    Args:
        file: vocab.txt with one token in a line, or a JSON file of gluonnlp.

    Raises:
        ValueError: The file is not a vocabulary.
        OSError: The file cannot be read.
    """
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".json":
        return [line.strip() for line in text.removesuffix("\n").split("\n")]
    content = json.loads(text)
    tokens = content.get("idx_to_token") if isinstance(content, dict) else None
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise ValueError(f"{file.name} has no list idx_to_token")
    return tokens


def with_vocabulary(model: bytes, tokens: Sequence[str]) -> bytes:
    """Return a SentencePiece model with the same pieces in the order of a vocabulary.

    Args:
        model: Content of a SentencePiece model, for example of tokenizer_78b3253a26.model.
        tokens: The vocabulary, in the order of the ids, with KoBERT's special tokens.

    Raises:
        ValueError: The vocabulary repeats a token, or lacks pieces of the model.
    """
    scores, trainer, normalizer = _parts(model)
    if len(set(tokens)) != len(tokens):
        raise ValueError("its vocabulary has a token twice")
    missing = scores.keys() - set(tokens)
    if missing:
        raise ValueError(
            f"its vocabulary lacks {len(missing):,} of the {len(scores):,} pieces of the SentencePiece model; they are "
            f"of different models"
        )
    return _model([(token, scores.get(token)) for token in tokens], trainer, normalizer)


def _parts(model: bytes) -> tuple[dict[str, float], bytes, bytes]:
    """Return ({ordinary piece: score}, trainer_spec, normalizer_spec) of a SentencePiece model."""
    scores: dict[str, float] = {}
    trainer = normalizer = b""
    for number, value in fields(model):
        if number == 1 and isinstance(value, bytes):
            piece = dict(fields(value))
            if piece.get(3, _NORMAL) == _NORMAL:
                scores[_bytes(piece.get(1)).decode()] = struct.unpack("<f", _bytes(piece.get(2, bytes(4))))[0]
        elif number == 2:
            trainer = _bytes(value)
        elif number == 3:
            normalizer = _bytes(value)
    return scores, trainer, normalizer


def _bytes(value: int | bytes | None) -> bytes:
    return value if isinstance(value, bytes) else b""


def _model(pieces: Sequence[tuple[str, float | None]], trainer: bytes, normalizer: bytes) -> bytes:
    """Return a SentencePiece model.

    Args:
        pieces: (piece, score) in id order. Special tokens, and pieces without a score, never occur in a text.
        trainer: Content of trainer_spec.
        normalizer: Content of normalizer_spec.
    """
    message = bytearray()
    for piece, score in pieces:
        kind = _UNKNOWN if piece == "[UNK]" else _CONTROL if piece in SPECIAL_TOKENS or score is None else _NORMAL
        body = _field(1, piece.encode()) + b"\x15" + struct.pack("<f", score or 0.0) + b"\x18" + bytes([kind])
        message += _field(1, body)
    # the last value of a field wins, so this replaces the name of the unknown piece
    message += _field(2, trainer + _field(_UNK_PIECE, b"[UNK]"))
    message += _field(3, normalizer)
    return bytes(message)


def precompiled_characters(model: bytes) -> bytes:
    """Return the field normalizer_spec.precompiled_charsmap of a SentencePiece model; b"" if the field is missing."""
    normalizer = _parts(model)[2]
    return next((value for number, value in fields(normalizer) if number == 2 and isinstance(value, bytes)), b"")


# -- Protocol Buffers --------------------------------------------------------------------------------------------------


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (field number, value) for each field of a Protocol Buffers message. The value is an int or bytes.

    Raises:
        ValueError: The message is damaged.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        size = {1: 8, 5: 4}.get(kind)
        if size is None:
            size, at = _varint(message, at)
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message):
            raise ValueError("the SentencePiece model is damaged")
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _field(number: int, content: bytes) -> bytes:
    """Return a field that contains bytes."""
    return _number(number << 3 | 2) + _number(len(content)) + content


def _number(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def vocabulary_beside(file: Path) -> Path | None:
    """Return the vocabulary file of the gluonnlp era that lies in the folder of `file`; None if there is none."""
    return next((found for name in VOCABULARIES if (found := file.parent / name).is_file()), None)


def of_gluonnlp(file: Path, content: bytes) -> tuple[bytes, Path] | None:
    """Return the model of the gluonnlp era with KoBERT's ids, and the vocabulary file that gives the ids.

    Args:
        file: Path of the SentencePiece model. A vocabulary file beside it gives the ids.
        content: Content of `file`.

    Returns:
        None if the model itself contains KoBERT's special tokens, or if no vocabulary is in its folder.

    Raises:
        ValueError: The vocabulary and the model do not fit together.
        OSError: The vocabulary cannot be read.
    """
    vocabulary = vocabulary_beside(file)
    if vocabulary is None or _has_special_tokens(content):
        return None
    return with_vocabulary(content, read_vocabulary(vocabulary)), vocabulary


def _has_special_tokens(model: bytes) -> bool:
    pieces: list[Mapping[int, int | bytes]] = [
        dict(fields(value)) for number, value in fields(model) if number == 1 and isinstance(value, bytes)
    ]
    names = {_bytes(piece.get(1)) for piece in pieces}
    return all(token.encode() in names for token in SPECIAL_TOKENS)
