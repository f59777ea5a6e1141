"""The utterances of a labelled archive whose labelling would teach the model most.

The texts are ranked by the margin between their best two probabilities (margins.py). From the lowest up, near-copies
are set aside until there are ten candidates for each utterance wanted; of these the farthest from each other are chosen
(diversity.py, which names the sources).
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
from emojob.pipeline.active_learning.margins import Ranking, margins_of, probabilities_of, rank
from emojob.pipeline.output.labelled_archive import LabelledArchive, text_column_of
from emojob.pipeline.privacy.pii.masking import mask_texts
from emojob.pipeline.reading.context import Conversations
from emojob.pipeline.reading.row_batches import RowBatch
from emojob.schemas.arrow_text import strings
from emojob.schemas.errors import DataError, OptionError

#: The most that one sheet may ask for: weeks of an annotator's work.
MOST_WANTED = 10_000

_CANDIDATES = 10  # kept for each utterance wanted
_FEW_CANDIDATES = 20_000  # beyond which they grow no more than `_CANDIDATES` says, however many are wanted
_LOOKED_AT = 20  # texts looked at first for each utterance wanted; more where many of them are near-copies
_LEAST_LOOKED_AT, _SLICE, _MOST_LOOKED_AT = 2_048, 65_536, 262_144

_FOLDED = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True)
class Utterance:
    """One utterance to be labelled."""

    text: str  # white space folded
    previous: str | None  # before it in its conversation, where that is known
    guess: str
    confidence: float
    second: str | None  # the label next to it; None where the model knows one only
    margin: float  # between the two probabilities
    times: int  # rows of the archive with this text
    conversation: str | None
    time: str | None


@dataclass(frozen=True)
class Uncertain:
    """What was chosen, the most telling first, and from what."""

    utterances: list[Utterance]
    rows: int  # labelled
    left_out: int  # of them, too short or too long to teach anything
    texts: int  # distinct, in the others


@dataclass
class _Pool:
    """Texts to choose from, and what the archive says of each."""

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


def choose(archive: LabelledArchive, wanted: int, masked: bool = True) -> Uncertain:
    """Choose up to `wanted` utterances; the same archive gives the same choice.

    masked: whether personal data is masked in what they say. Raises OptionError where `wanted` is out of range,
    DataError where nothing can be chosen or a file cannot be read, StorageError where there is no room for temporary
    files.
    """
    if not 1 <= wanted <= MOST_WANTED:
        raise OptionError(f"--uncertain {wanted} is out of range: give 1 to {MOST_WANTED:,} utterances")
    text_column_of(archive)
    ranking = rank(archive, max(_MOST_LOOKED_AT, _LOOKED_AT * wanted))
    if not ranking.texts:
        why = "label an archive with dialogue in it" if ranking.rows else "no row has the status scored or truncated"
        raise DataError(
            f"{archive.place} has nothing to choose from: {ranking.left_out:,} of {ranking.rows:,} labelled rows are "
            f"too short or too long; {why}"
        )
    pool = _pool(archive, ranking, wanted)
    probabilities = np.stack(pool.probabilities)
    chosen = farthest_first(
        vectors(pool.texts), (1 - margins_of(probabilities)) ** 2, probabilities.argmax(axis=1), wanted
    )
    picked = _Pool()
    picked.add(pool, chosen)
    utterances = _utterances(archive, picked)
    return Uncertain(_masked(utterances) if masked else utterances, ranking.rows, ranking.left_out, ranking.texts)


def _masked(utterances: list[Utterance]) -> list[Utterance]:
    """The same, personal data masked wherever a person may have written it."""
    columns = [mask_texts([getattr(one, name) for one in utterances]) for name in ("text", "previous", "conversation")]
    return [
        replace(one, text=text or "", previous=previous, conversation=conversation)
        for one, text, previous, conversation in zip(utterances, *columns, strict=True)
    ]


# -- candidates --------------------------------------------------------------------------------------------------------


def _pool(archive: LabelledArchive, ranking: Ranking, wanted: int) -> _Pool:
    """The candidates: no near-copies, unless there is too little else."""
    leaders = Leaders(min(_CANDIDATES * wanted, max(_FEW_CANDIDATES, 2 * wanted)))
    pool, copies = _Pool(), _Pool()
    begin, size = 0, min(max(_LEAST_LOOKED_AT, _LOOKED_AT * wanted), _SLICE)
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
    """Texts and probabilities of the rows of these numbers, in their order."""
    texts, probabilities = [], []
    for _, batch in archive.rows(numbers, [text_column_of(archive), *archive.probability_columns]):
        texts += [_folded(text) for text in strings(batch.column(0)).to_pylist()]
        probabilities += list(probabilities_of(batch, 1))
    back = np.argsort(np.argsort(numbers)).tolist()  # rows come in the archive's order
    return _Pool([texts[i] for i in back], numbers.tolist(), times.tolist(), [probabilities[i] for i in back])


def _folded(text: str) -> str:
    """As the texts are told apart in SQL, and as the tokenizer reads them: Hangul composed, white space folded."""
    return _FOLDED.sub(" ", unicodedata.normalize("NFC", text)).strip()


# -- what else the archive says of them --------------------------------------------------------------------------------


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
    """Conversation and time of these rows, as far as the archive has them."""
    about: dict[int, tuple[str | None, str | None]] = dict.fromkeys(numbers.tolist(), (None, None))
    columns = (archive.conversation_column, archive.time_column)
    given = [name for name in dict.fromkeys(columns) if name is not None]
    for found, batch in archive.rows(numbers, given) if given else ():
        words = {name: _words(column) for name, column in zip(given, batch.columns, strict=True)}
        nothing: list[str | None] = [None] * batch.num_rows
        conversations, times = (words[name] if name is not None else nothing for name in columns)
        about.update(zip(found.tolist(), zip(conversations, times, strict=True), strict=True))
    return about


def _words(column: pa.Array) -> list[str | None]:
    return [text if text and text.strip() else None for text in strings(column).to_pylist()]


def _previous(archive: LabelledArchive, conversations: dict[int, str | None]) -> dict[int, str]:
    """The text before each of these rows in its conversation, as a model with context reads it.

    conversations: {number of a row: its conversation}; rows of no conversation have no text before them.
    """
    searched = pa.array(sorted({name for name in conversations.values() if name is not None}), pa.large_string())
    if archive.conversation_column is None or not len(searched):
        return {}
    found: dict[int, str] = {}
    input_, spoken = None, Conversations("text", "conversation")
    for first, piece, batch in archive.batches([text_column_of(archive), archive.conversation_column]):
        if first > max(conversations):
            break
        if piece.input != input_:
            input_, spoken = piece.input, Conversations("text", "conversation")
        names = strings(batch.column(1))
        rows = np.flatnonzero(pc.is_in(names, searched).to_numpy(zero_copy_only=False))
        near = {"text": strings(batch.column(0).take(pa.array(rows))), "conversation": names.take(pa.array(rows))}
        before = spoken.previous(RowBatch(pa.record_batch(near), first, len(rows), [])).to_pylist()
        told = zip((rows + first).tolist(), before, strict=True)
        found.update((number, _folded(text)) for number, text in told if number in conversations and text)
    return found
