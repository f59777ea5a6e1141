"""Selects the utterances of a labelled archive that annotators should label next.

1. Rank the texts by margin, the lowest margin first (margins.py).
2. Collect up to ten times as many candidates as utterances are wanted. Near-copies become candidates only if there are
   too few other texts.
3. Choose candidates that differ from each other (diversity.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from emojob.pipeline.active_learning.diversity import Leaders, farthest_first, vectors
from emojob.pipeline.active_learning.margins import MOST_CHARACTERS, Ranking, margins_of, rank
from emojob.pipeline.active_learning.utterances import (
    LeaveOut,
    Pool,
    Utterance,
    fetch,
    masked_utterances,
    utterances_of,
)
from emojob.pipeline.output.labelled_archive import LabelledArchive, text_column_of
from emojob.schemas.errors import DataError, OptionError

#: Maximum number of utterances in an annotation sheet. An annotator needs weeks to label 10,000 utterances.
MOST_WANTED = 10_000

_CANDIDATES = 10  # maximum number of candidates for each wanted utterance
_MOST_CANDIDATES = 20_000  # maximum number of candidates in total, at least twice MOST_WANTED
_TEXTS_READ = 20  # number of texts in the first read of `_pool`, for each wanted utterance
_FEWEST_READ, _SLICE, _MOST_READ = 2_048, 65_536, 262_144


@dataclass(frozen=True)
class Selection:
    """The selected utterances.

    Attributes:
        utterances: The utterances, in the order in which they were chosen.
        rows: Number of labelled rows in the archive.
        left_out: Number of labelled rows whose text is too short or too long.
        texts: Number of distinct texts that are neither too short nor too long.
    """

    utterances: list[Utterance]
    rows: int
    left_out: int
    texts: int


def choose(archive: LabelledArchive, wanted: int, masked: bool = True, leave_out: Iterable[str] = ()) -> Selection:
    """Select utterances to annotate. The selection depends only on the archive and the arguments.

    Args:
        archive: The labelled archive.
        wanted: Number of utterances to select, 1 to MOST_WANTED. If the archive has fewer texts, all texts are
            selected.
        masked: Whether to mask personal data.
        leave_out: Texts that are not selected, for example the texts of earlier annotation sheets.

    Raises:
        OptionError: `wanted` is out of range.
        OutputError: The archive has no text column.
        DataError: No row is labelled, every text is too short, too long or left out, or a file cannot be read.
        StorageError: There is not enough memory, or not enough disk space for temporary files.
    """
    if not 1 <= wanted <= MOST_WANTED:
        raise OptionError(f"--uncertain {wanted} is out of range: give a number from 1 to {MOST_WANTED:,}")
    text_column_of(archive)
    known = LeaveOut(leave_out)
    ranking = rank(archive, max(_MOST_READ, _TEXTS_READ * wanted) + len(known))
    if not ranking.texts:
        why = (
            f"each of the {ranking.rows:,} labelled rows has fewer than two letters or more than "
            f"{MOST_CHARACTERS:,} characters. Give an archive with other texts"
            if ranking.rows
            else "no row has the status scored or truncated. Give an archive with labelled rows"
        )
        raise DataError(f"{archive.path} has no text that annotators could label: {why}")
    pool = _pool(archive, ranking, wanted, known)
    if not pool.texts:
        raise all_left_out(archive)
    probabilities = np.stack(pool.probabilities)
    chosen = farthest_first(
        vectors(pool.texts),
        (1 - margins_of(probabilities, archive.thresholds)) ** 2,
        probabilities.argmax(axis=1),
        wanted,
    )
    picked = Pool()
    picked.add(pool, chosen)
    utterances = utterances_of(archive, picked)
    if masked:
        utterances = masked_utterances(utterances)
    return Selection(utterances, ranking.rows, ranking.left_out, ranking.texts)


def all_left_out(archive: LabelledArchive) -> DataError:
    """Return the error for an archive whose texts are all left out."""
    return DataError(
        f"{archive.path} has no text that is not in an earlier annotation sheet: label more input files with `emojob "
        "score`, or choose texts of earlier sheets too with --again"
    )


# -- candidates --------------------------------------------------------------------------------------------------------


def _pool(archive: LabelledArchive, ranking: Ranking, wanted: int, known: LeaveOut) -> Pool:
    """Return candidates without `known` texts and near-copies. If there are fewer than `wanted`, add near-copies."""
    leaders = Leaders(min(_CANDIDATES * wanted, _MOST_CANDIDATES))
    pool, copies = Pool(), Pool()
    begin, size = 0, min(max(_FEWEST_READ, _TEXTS_READ * wanted), _SLICE)
    while begin < len(ranking.numbers) and not leaders.full:
        texts = fetch(archive, ranking.numbers[begin : begin + size], ranking.times[begin : begin + size])
        found, texts = texts, Pool()
        texts.add(found, np.flatnonzero(~known.has(found.texts)))
        begin, size = begin + size, min(4 * size, _SLICE)
        if not texts.texts:
            continue
        admitted = leaders.admit(vectors(texts.texts))
        pool.add(texts, np.flatnonzero(admitted))
        copies.add(texts, np.flatnonzero(~admitted)[: max(0, wanted - len(copies.texts))])
    if len(pool.texts) < wanted:
        pool.add(copies, np.arange(len(copies.texts)))
    return pool
