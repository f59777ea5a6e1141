"""Finds text that a draft copies word for word from training answers.

The index stores no text: only a 64-bit hash of each run of 21 words. Somebody who knows 21 words in a row can test
whether the index has them.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.replies.way_folders import repair
from emojob.pipeline.storage.atomic import write_bytes
from emojob.schemas.errors import DataError

#: Largest number of words in a row that a draft may share with a training answer.
MOST_COPIED = 20

#: Usual name of the file in a model folder.
FILE = "copies.npy"

_WINDOW = MOST_COPIED + 1
_BLOCK = 1 << 18  # windows that are hashed at once, which bounds the memory

# A hash of a window is a polynomial of the hashes of its words, modulo 2**64. The factor is odd, so no word vanishes.
_FACTOR = 0x9E3779B97F4A7C15
_POWERS = np.array([pow(_FACTOR, place, 1 << 64) for place in range(_WINDOW)], np.uint64)


class CopyIndex:
    """Index of the runs of 21 words in training answers.

    Attributes:
        windows: uint64 [windows], ascending and distinct hashes of the runs.
    """

    def __init__(self, windows: NDArray[np.uint64]) -> None:
        self.windows = windows

    @classmethod
    def of(cls, texts: Iterable[str]) -> CopyIndex:
        """Return the index of texts. White space in a text is normalised; a text with up to 20 words adds nothing."""
        known: dict[str, int] = {}
        found = [np.unique(_hash_windows(words, known)) for text in texts if len(words := text.split()) >= _WINDOW]
        return cls(np.unique(np.concatenate(found)) if found else np.zeros(0, np.uint64))

    def longest_copied(self, draft: str) -> int:
        """Return the number of words in a row that `draft` copies from a training answer; 0 if at most 20.

        Runs from several answers that overlap in 20 words count as one run.

        Args:
            draft: The text to check.
        """
        words = draft.split()
        if len(words) < _WINDOW or not len(self.windows):
            return 0
        hashes = _hash_windows(words, {})
        places = np.minimum(np.searchsorted(self.windows, hashes), len(self.windows) - 1)
        is_copied = np.concatenate([[False], self.windows[places] == hashes, [False]])
        edges = np.flatnonzero(is_copied[1:] != is_copied[:-1])  # begin and end of each run of copied windows
        runs = edges[1::2] - edges[::2]
        return int(runs.max()) + MOST_COPIED if len(runs) else 0

    def save(self, file: Path) -> None:
        """Write the index atomically.

        Raises:
            OSError: The file cannot be written.
        """
        content = io.BytesIO()
        np.save(content, self.windows.astype("<u8"), allow_pickle=False)
        write_bytes(file, content.getvalue())

    @classmethod
    def load(cls, file: Path) -> CopyIndex:
        """Read an index.

        Raises:
            DataError: The file is missing or damaged.
        """
        try:
            windows = np.load(file, allow_pickle=False)
            if not isinstance(windows, np.ndarray) or windows.dtype != np.dtype("<u8") or windows.ndim != 1:
                raise ValueError("not a list of hashes")
        except (OSError, ValueError, EOFError) as error:
            raise DataError(
                f"the index of training answers {file} is damaged, because it cannot be read ({error}): "
                f"{repair(file.parent)}"
            ) from error
        return cls(np.unique(windows.astype(np.uint64)))


def longest_copied(draft: str, index: CopyIndex) -> int:
    """Return the number of words in a row that `draft` copies from a training answer; 0 if at most 20."""
    return index.longest_copied(draft)


def _hash_windows(words: Sequence[str], known: dict[str, int]) -> NDArray[np.uint64]:
    """Return the hash of each run of 21 words: uint64 [words - 20].

    Args:
        words: At least 21 words.
        known: Hashes of the words that are already known; new words are added.
    """
    hashes = np.array([_hash_word(word, known) for word in words], np.uint64)
    windows = np.lib.stride_tricks.sliding_window_view(hashes, _WINDOW)
    blocks = [windows[start : start + _BLOCK] @ _POWERS for start in range(0, len(windows), _BLOCK)]
    return np.concatenate(blocks)


def _hash_word(word: str, known: dict[str, int]) -> int:
    if word not in known:
        encoded = word.encode("utf-8", "surrogatepass")
        known[word] = int.from_bytes(blake2b(encoded, digest_size=8).digest(), "little")
    return known[word]
