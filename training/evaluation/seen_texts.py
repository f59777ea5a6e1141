"""Remembers which texts a model was trained on, so that `emojob evaluate` can warn about them.

The texts are stored as a Bloom filter (Bloom, 1970) in trained_on.json in the model folder. No text can be read from a
Bloom filter. Somebody who already knows a text can test whether the filter contains the text, but the answer is wrong
for about 2% of the texts that were not used. So the filter shows how many of many texts were used, but gives no
certainty about a single text.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emojob.pipeline.storage.atomic import parse_json, read_json
from emojob.training.data.annotated import Annotated, TextKey, pair_key
from emojob.training.evaluation.intervals import at_most
from emojob.training.evaluation.words import Words, words_of

FILE = "trained_on.json"

_BITS_PER_TEXT = 8
_HASHES = 5
_MOST_BYTES = 1 << 28  # maximum size of trained_on.json; a larger file is not read

#: If chance alone gives as many texts with a probability below this, the texts are reported.
_UNLIKELY = 0.001


@dataclass(frozen=True)
class SeenTexts:
    """A Bloom filter of the texts that a model was trained on.

    Attributes:
        by: The model that was trained on the texts: "" for the model itself, else the name of a base model.
        texts: Number of texts in the filter.
        context: `previous` if the texts were read with the previous utterances, else `none`.
        salt: Salt of the hashes.
        bits: The filter.
    """

    by: str
    texts: int
    context: str
    salt: str
    bits: bytes

    @classmethod
    def of(cls, keys: Sequence[TextKey], context: str, salt: str) -> SeenTexts:
        """Return the filter of texts.

        Args:
            keys: The key of each text.
            context: `none` or `previous`.
            salt: Salt of the hashes.
        """
        size = max(64, _BITS_PER_TEXT * len(keys) + 7 & ~7)
        bits = np.zeros(size, np.uint8)
        for key in keys:
            bits[_positions(key, salt, size)] = 1
        return cls("", len(keys), context, salt, np.packbits(bits).tobytes())

    def as_json(self) -> dict[str, Any]:
        """Return the filter as a dict for JSON."""
        bits = base64.b64encode(self.bits).decode()
        return {"by": self.by, "texts": self.texts, "context": self.context, "salt": self.salt, "bits": bits}

    def estimate(self, annotated: Annotated) -> int:
        """Return about how many of the texts were used for training; 0 if chance alone could explain the number."""
        keys = annotated.keys()
        if self.context == "none":
            keys = [pair_key(None, text) for text in annotated.texts]
        unpacked = np.unpackbits(np.frombuffer(self.bits, np.uint8))
        found = sum(bool(unpacked[_positions(key, self.salt, len(unpacked))].all()) for key in keys)
        by_chance = float(unpacked.mean()) ** _HASHES
        if by_chance >= 0.5 or 1 - at_most(found - 1, len(keys), by_chance) > _UNLIKELY:
            return 0
        return round((found - by_chance * len(keys)) / (1 - by_chance))


def read_seen_texts(folder: Path) -> list[SeenTexts]:
    """Return the filters in a model folder: of the model, and of its base models. [] if there are none."""
    file = folder / FILE
    try:
        if not file.is_file() or file.stat().st_size > _MOST_BYTES:
            return []
        listed = parse_json(file.read_bytes()).get("filters")
        return [_from_json(one) for one in listed] if isinstance(listed, list) else []
    except (OSError, KeyError, TypeError, ValueError, binascii.Error):  # the folder may come from somebody else
        return []


def trained_files(folder: Path) -> set[str]:
    """Return the SHA-256 hashes of the files that a model was trained on, from recipe.json. Empty if it is missing."""
    try:
        data = read_json(folder / "recipe.json").get("data")
    except OSError:
        return set()
    files = data if isinstance(data, list) else []
    return {str(file["sha256"]) for file in files if isinstance(file, dict) and "sha256" in file}


def seen_as_json(filters: Iterable[SeenTexts]) -> dict[str, Any]:
    """Return the content of trained_on.json."""
    return {"filters": [one.as_json() for one in filters]}


def warnings_about(
    filters: Sequence[SeenTexts], annotated: Annotated, model: str, words: Words | None = None
) -> list[str]:
    """Return a warning for each filter that contains many of the texts.

    Args:
        filters: The filters of a model folder.
        annotated: The texts on which the model is measured.
        model: Name of the model, for the warning.
        words: Texts of the language, from `words_of`. None: English.
    """
    words, texts, found = words or words_of("en"), len(annotated.texts), []
    for one in filters:
        seen = one.estimate(annotated)
        if seen:
            count = words["seen_all" if seen >= texts else "seen_about"].format(count=f"{min(seen, texts):,}")
            sentence = words["seen_by_base" if one.by else "seen"]
            found.append(str(sentence.format(model=model, base=one.by, count=count, texts=f"{texts:,}")))
    return found


def _from_json(plain: dict[str, Any]) -> SeenTexts:
    bits = base64.b64decode(plain["bits"], validate=True)
    if not bits:
        raise ValueError("an empty filter")
    return SeenTexts(str(plain["by"]), int(plain["texts"]), str(plain["context"]), str(plain["salt"]), bits)


def _positions(key: TextKey, salt: str, size: int) -> list[int]:
    content = "\0".join((salt, *key)).encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(content, digest_size=8 * _HASHES).digest()
    return [int.from_bytes(digest[8 * i : 8 * i + 8]) % size for i in range(_HASHES)]
