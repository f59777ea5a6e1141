"""Draws a random sample of the labelled rows of an archive, to measure a model on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from emojob.pipeline.active_learning.selection import MOST_WANTED, all_left_out
from emojob.pipeline.active_learning.utterances import (
    LeaveOut,
    Pool,
    Utterance,
    fetch,
    masked_utterances,
    utterances_of,
)
from emojob.pipeline.output.labelled_archive import LabelledArchive, text_column_of
from emojob.schemas.columns import SCORED, TRUNCATED
from emojob.schemas.errors import DataError, OptionError

_MOST_SEED = (1 << 32) - 1
_EXTRA = 4_096  # minimum number of rows whose texts are compared with the left-out texts, besides the wanted rows


@dataclass(frozen=True)
class RandomSample:
    """A random sample of labelled rows.

    Attributes:
        utterances: The utterances in random order. A text occurs once for each of its rows that were drawn.
        rows: Number of labelled rows in the archive.
        weight: Number of labelled rows that each utterance stands for. Left-out rows are not counted; if texts are left
            out, their share is estimated from the drawn rows.
    """

    utterances: list[Utterance]
    rows: int
    weight: float


def draw(
    archive: LabelledArchive, wanted: int, seed: int = 0, masked: bool = True, leave_out: Iterable[str] = ()
) -> RandomSample:
    """Draw different rows at random. Each labelled row has the same chance, except the rows with left-out texts.

    The order depends only on the seed and the row numbers: a larger sample with the same seed starts with the rows of
    the smaller sample.

    Args:
        archive: The labelled archive.
        wanted: Number of rows to draw, 1 to MOST_WANTED. If the archive has fewer rows, all rows are drawn.
        seed: Seed of the random order, 0 to 2^32 - 1.
        masked: Whether to mask personal data.
        leave_out: Texts that are not drawn, for example the texts of earlier annotation sheets.

    Raises:
        OptionError: `wanted` or `seed` is out of range.
        OutputError: The archive has no text column.
        DataError: No row is labelled, every text is left out, or a file cannot be read.
    """
    if not 1 <= wanted <= MOST_WANTED:
        raise OptionError(f"--random {wanted} is out of range: give a number from 1 to {MOST_WANTED:,}")
    if not 0 <= seed <= _MOST_SEED:
        raise OptionError(f"--seed {seed} is out of range: give a number from 0 to {_MOST_SEED:,}")
    text_column_of(archive)
    known = LeaveOut(leave_out)
    most = wanted if not len(known) else 2 * wanted + _EXTRA
    while True:
        numbers, rows = _first_in_random_order(archive, most, seed)
        found = fetch(archive, numbers, np.ones(len(numbers), np.int64))
        free = np.flatnonzero(~known.has(found.texts))[:wanted]
        if len(free) == wanted or len(numbers) == rows:
            break
        most *= 4
    if not rows:
        raise DataError(
            f"{archive.path} has no text that annotators could label: no row has the status scored or truncated. Give "
            "an archive with labelled rows"
        )
    if not len(free):
        raise all_left_out(archive)
    picked = Pool()
    picked.add(found, free)
    utterances = utterances_of(archive, picked)
    tried = len(numbers) if len(free) < wanted else int(free[-1]) + 1
    return RandomSample(masked_utterances(utterances) if masked else utterances, rows, rows / tried)


def _first_in_random_order(archive: LabelledArchive, most: int, seed: int) -> tuple[NDArray[np.int64], int]:
    """Return (numbers of the first `most` labelled rows in the random order, number of labelled rows)."""
    keys, numbers, rows = np.empty(0, np.uint64), np.empty(0, np.int64), 0
    for first, _, batch in archive.batches([archive.status_column]):
        labelled = pc.is_in(pc.cast(batch.column(0), pa.string()), pa.array([SCORED, TRUNCATED]))
        here = np.flatnonzero(labelled.to_numpy(zero_copy_only=False)) + first
        rows += len(here)
        keys, numbers = np.concatenate([keys, _mixed(here, seed)]), np.concatenate([numbers, here])
        if len(keys) > most:
            lowest = np.argpartition(keys, most - 1)[:most]
            keys, numbers = keys[lowest], numbers[lowest]
    return numbers[np.lexsort((numbers, keys))], rows


def _mixed(numbers: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """Return a pseudo-random number for each row number: the output function of SplitMix64.

    Source: Steele, Lea and Flood, Fast splittable pseudorandom number generators, OOPSLA 2014.
    """
    with np.errstate(over="ignore"):
        state = np.uint64(seed) * np.uint64(0xD1342543DE82EF95) + np.uint64(1)
        mixed = (numbers.astype(np.uint64) + state) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(mixed ^ (mixed >> np.uint64(31)), np.uint64)
