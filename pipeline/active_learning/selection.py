"""Selects the utterances of a labelled archive that annotators should label next.

1. Rank the texts by margin, the lowest margin first (margins.py).
2. Collect up to ten times as many candidates as utterances are wanted. Near-copies become candidates only if there are
   too few other texts.
3. Choose candidates that differ from each other (diversity.py).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from emojob.pipeline.active_learning.diversity import Leaders, farthest_first, vectors
from emojob.pipeline.active_learning.margins import MOST_CHARACTERS, Ranking, margins_of, probabilities_of, rank
from emojob.pipeline.output.labelled_archive import LabelledArchive, text_column_of
from emojob.pipeline.privacy.pii.masking import mask_texts
from emojob.pipeline.reading.context import Conversations
from emojob.pipeline.reading.row_batches import RowBatch
from emojob.schemas.arrow_text import strings
from emojob.schemas.blank import is_blank
from emojob.schemas.errors import DataError, OptionError

#: Maximum number of utterances in an annotation sheet. An annotator needs weeks to label 10,000 utterances.
MOST_WANTED = 10_000

_CANDIDATES = 10  # maximum number of candidates for each wanted utterance
_MOST_CANDIDATES = 20_000  # maximum number of candidates in total
_TEXTS_READ = 20  # number of texts in the first read of `_pool`, for each wanted utterance
_FEWEST_READ, _SLICE, _MOST_READ = 2_048, 65_536, 262_144

_FOLDED = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True)
class Utterance:
    """One utterance to annotate.

    Attributes:
        text: Text in NFC, with single spaces.
        previous: Text of the previous utterance in the conversation; None if unknown.
        guess: Label with the highest probability.
        confidence: Probability of `guess`.
        second: Label with the second highest probability; None if the model has only one label.
        margin: Highest probability minus second highest probability.
        times: Number of labelled rows with this text.
        conversation: ID of the conversation; None if unknown.
        time: Time of the utterance as a string from the archive; None if unknown.
    """

    text: str
    previous: str | None
    guess: str
    confidence: float
    second: str | None
    margin: float
    times: int
    conversation: str | None
    time: str | None


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


@dataclass
class _Pool:
    """Texts to choose from. For each text: a row number, the number of rows with the text, and the probabilities."""

    texts: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    probabilities: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, other: _Pool, rows: NDArray[np.int64]) -> None:
        for i in rows.tolist():
            self.texts.append(other.texts[i])
            self.numbers.append(other.numbers[i])
            self.times.append(other.times[i])
            self.probabilities.append(other.probabilities[i])


def choose(archive: LabelledArchive, wanted: int, masked: bool = True) -> Selection:
    """Select utterances to annotate. The selection depends only on the archive and the arguments.

    Args:
        archive: The labelled archive.
        wanted: Number of utterances to select, 1 to MOST_WANTED. If the archive has fewer texts, all texts are
            selected.
        masked: Whether to mask personal data.

    Raises:
        OptionError: `wanted` is out of range.
        OutputError: The archive has no text column.
        DataError: No row is labelled, every text is too short or too long, or a file cannot be read.
        StorageError: There is not enough memory, or not enough disk space for temporary files.
    """
    if not 1 <= wanted <= MOST_WANTED:
        raise OptionError(f"--uncertain {wanted} is out of range: give a number from 1 to {MOST_WANTED:,}")
    text_column_of(archive)
    ranking = rank(archive, max(_MOST_READ, _TEXTS_READ * wanted))
    if not ranking.texts:
        why = (
            f"each of the {ranking.rows:,} labelled rows has fewer than two letters or more than "
            f"{MOST_CHARACTERS:,} characters. Give an archive with other texts"
            if ranking.rows
            else "no row has the status scored or truncated. Give an archive with labelled rows"
        )
        raise DataError(f"{archive.path} has no text that annotators could label: {why}")
    pool = _pool(archive, ranking, wanted)
    probabilities = np.stack(pool.probabilities)
    chosen = farthest_first(
        vectors(pool.texts), (1 - margins_of(probabilities)) ** 2, probabilities.argmax(axis=1), wanted
    )
    picked = _Pool()
    picked.add(pool, chosen)
    utterances = _utterances(archive, picked)
    return Selection(_masked(utterances) if masked else utterances, ranking.rows, ranking.left_out, ranking.texts)


def _masked(utterances: list[Utterance]) -> list[Utterance]:
    """Return the utterances with personal data masked in `text`, `previous` and `conversation`."""
    columns = [mask_texts([getattr(one, name) for one in utterances]) for name in ("text", "previous", "conversation")]
    return [
        replace(one, text=text or "", previous=previous, conversation=conversation)
        for one, text, previous, conversation in zip(utterances, *columns, strict=True)
    ]


# -- candidates --------------------------------------------------------------------------------------------------------


def _pool(archive: LabelledArchive, ranking: Ranking, wanted: int) -> _Pool:
    """Return candidates without near-copies. If there are fewer than `wanted` candidates, add near-copies."""
    leaders = Leaders(min(_CANDIDATES * wanted, max(_MOST_CANDIDATES, 2 * wanted)))
    pool, copies = _Pool(), _Pool()
    begin, size = 0, min(max(_FEWEST_READ, _TEXTS_READ * wanted), _SLICE)
    while begin < len(ranking.numbers) and not leaders.full:
        texts = _fetch(archive, ranking.numbers[begin : begin + size], ranking.times[begin : begin + size])
        admitted = leaders.admit(vectors(texts.texts))
        pool.add(texts, np.flatnonzero(admitted))
        copies.add(texts, np.flatnonzero(~admitted)[: max(0, wanted - len(copies.texts))])
        begin, size = begin + size, min(4 * size, _SLICE)
    if len(pool.texts) < wanted:
        pool.add(copies, np.arange(len(copies.texts)))
    return pool


def _fetch(archive: LabelledArchive, numbers: NDArray[np.int64], times: NDArray[np.int64]) -> _Pool:
    """Read the texts and probabilities of the rows `numbers`, in this order.

    `times` is the number of rows with each text; it is copied into the result.
    """
    texts, probabilities = [], []
    for _, batch in archive.rows(numbers, [text_column_of(archive), *archive.probability_columns]):
        texts += [_folded(text) for text in strings(batch.column(0)).to_pylist()]
        probabilities += list(probabilities_of(batch, 1))
    back = np.argsort(np.argsort(numbers)).tolist()  # `archive.rows` returns the rows sorted by number
    return _Pool([texts[i] for i in back], numbers.tolist(), times.tolist(), [probabilities[i] for i in back])


def _folded(text: str) -> str:
    """Return a text in NFC with single spaces. The SQL code in uncertain_texts.sql changes texts in the same way."""
    return _FOLDED.sub(" ", unicodedata.normalize("NFC", text)).strip()


# -- columns of the selected rows --------------------------------------------------------------------------------------


def _utterances(archive: LabelledArchive, picked: _Pool) -> list[Utterance]:
    about = _about(archive, np.array(picked.numbers))
    previous = _previous(archive, {number: about[number][0] for number in picked.numbers})
    utterances = []
    for text, number, times, row in zip(picked.texts, picked.numbers, picked.times, picked.probabilities, strict=True):
        order = np.argsort(-row, kind="stable")
        utterances.append(
            Utterance(
                text=text,
                previous=previous.get(number),
                guess=archive.labels[order[0]],
                confidence=float(row[order[0]]),
                second=archive.labels[order[1]] if len(order) > 1 else None,
                margin=float(margins_of(row[None])[0]),
                times=times,
                conversation=about[number][0],
                time=about[number][1],
            )
        )
    return utterances


def _about(archive: LabelledArchive, numbers: NDArray[np.int64]) -> dict[int, tuple[str | None, str | None]]:
    """Return {row number: (conversation ID, time)}. Unknown values are None."""
    about: dict[int, tuple[str | None, str | None]] = dict.fromkeys(numbers.tolist(), (None, None))
    columns = (archive.conversation_column, archive.time_column)
    given = [name for name in dict.fromkeys(columns) if name is not None]
    for found, batch in archive.rows(numbers, given) if given else ():
        values = {name: _non_blank(column) for name, column in zip(given, batch.columns, strict=True)}
        nothing: list[str | None] = [None] * batch.num_rows
        conversations, times = (values[name] if name is not None else nothing for name in columns)
        about.update(zip(found.tolist(), zip(conversations, times, strict=True), strict=True))
    return about


def _non_blank(column: pa.Array) -> list[str | None]:
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    return [None if text is None or is_blank(text) else text for text in strings(column).to_pylist()]


def _previous(archive: LabelledArchive, conversations: dict[int, str | None]) -> dict[int, str]:
    """Return {row number: previous text in the conversation}, without the rows that have no previous text.

    `conversations` is {row number: conversation ID, or None if unknown}. reading/context.py explains which text is the
    previous text.
    """
    searched = pa.array(sorted({name for name in conversations.values() if name is not None}), pa.large_string())
    if archive.conversation_column is None or not len(searched):
        return {}
    found: dict[int, str] = {}
    input_, last_utterances = None, Conversations("text", "conversation")
    for first, part_file, batch in archive.batches([text_column_of(archive), archive.conversation_column]):
        if first > max(conversations):
            break
        if part_file.input != input_:
            input_, last_utterances = part_file.input, Conversations("text", "conversation")
        names = strings(batch.column(1))
        rows = np.flatnonzero(pc.is_in(names, searched).to_numpy(zero_copy_only=False))
        columns = {"text": strings(batch.column(0).take(pa.array(rows))), "conversation": names.take(pa.array(rows))}
        before = last_utterances.previous(RowBatch(pa.record_batch(columns), first, len(rows), [])).to_pylist()
        pairs = zip((rows + first).tolist(), before, strict=True)
        found.update((number, _folded(text)) for number, text in pairs if number in conversations and text)
    return found
