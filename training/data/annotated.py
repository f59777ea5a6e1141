"""Texts with one label each, from a corpus as it was read: labels mapped, empties and repeats dealt with.

Every row is counted: what is read is kept, or there is a reason why not.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emojob.pipeline.reading.context import with_text
from emojob.schemas.errors import DataError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.data.corpus import Corpus
from emojob.training.data.label_map import BUILT_IN, LabelMap, LabelNames, counted

#: More labels than this are no labels, but the values of a wrong column.
MOST_LABELS = 1000

_NUMBER = re.compile(r"[0-9.,;|/+\s-]*[0-9][0-9.,;|/+\s-]*")
_UNCLEAR, _UNLABELLED, _DROPPED, _EMPTY, _REPEATED, _CONTRADICTORY = -1, -2, -3, -4, -5, -6

Given = tuple[str, ...]


@dataclass(frozen=True)
class AnnotatedCounts:
    """What became of the rows that were read; read is the sum of the others.

    empty: without text; unlabelled: without label; dropped: by the label map; unclear: several labels, none of which is
    clearly the heaviest; repeated: an earlier row says the same; contradictory: the same text has another label more
    often, or first; kept: the rest.
    """

    read: int
    empty: int
    unlabelled: int
    dropped: int
    unclear: int
    repeated: int
    contradictory: int
    kept: int

    def summary(self) -> str:
        """One line for the terminal; what is zero is left out."""
        others = [f"{count:,} {name}" for name, count in asdict(self).items() if count and name not in ("read", "kept")]
        return f"{self.read:,} rows = {self.kept:,} kept" + "".join(f" + {other}" for other in others)


@dataclass(frozen=True)
class Annotated:
    """Texts that have one label each, in the order read. labels: int64 [rows], ids into names.

    counts are of the corpus that they come from, also after `take`.
    """

    texts: list[str]
    previous: list[str | None]
    conversations: list[str | None]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    counts: AnnotatedCounts

    def take(self, rows: NDArray[np.int64]) -> Annotated:
        """The given rows, in the order given."""
        return Annotated(
            [self.texts[row] for row in rows],
            [self.previous[row] for row in rows],
            [self.conversations[row] for row in rows],
            self.labels[rows],
            self.names,
            self.counts,
        )


def annotate(corpus: Corpus, label_map: LabelNames | None, names: tuple[str, ...] | None = None) -> Annotated:
    """Give each text of a corpus its one label, and leave out what has none or says nothing new.

    names: the labels that are allowed, such as a model's; None: those that the corpus has after the label map, sorted
    (the default six in their own order). A row with several labels counts by the label map's weights (LabelMap.hard);
    without a map it is unclear. Of rows with the same text (white space folded) after the same utterance, one is kept:
    the first with the label that is given most often. Raises DataError where a label is unmapped or not allowed, or
    is a bare number: it names each with its count.
    """
    has_text = np.asarray(with_text(pa.array(corpus.texts, pa.large_string())))
    fates = np.full(len(corpus.texts), _EMPTY, np.int64)
    rows = np.flatnonzero(has_text)
    given = Counter(corpus.given[row] for row in rows.tolist())
    class_of, classes = _classes(corpus, given, label_map, names)
    outcomes = _outcomes(list(given), class_of, classes, label_map)
    fates[rows] = [outcomes[corpus.given[row]] for row in rows.tolist()]
    _settle(corpus, fates)
    kept = np.flatnonzero(fates >= 0)
    present = {classes[label] for label in np.unique(fates[kept]).tolist()}
    final = names if names is not None else in_order(present)
    place = np.array([final.index(name) if name in final else -1 for name in classes], np.int64)
    every = Annotated(
        [text or "" for text in corpus.texts], corpus.previous, corpus.conversations, fates, final, _counts(fates)
    ).take(kept)
    return Annotated(every.texts, every.previous, every.conversations, place[fates[kept]], final, every.counts)


def in_order(labels: set[str]) -> tuple[str, ...]:
    """Labels in the order that their ids have: the default six in theirs, others sorted."""
    return DEFAULT_LABELS if labels == set(DEFAULT_LABELS) else tuple(sorted(labels))


def same_text(text: str) -> str:
    """What two texts have in common that count as the same: white space folded, Hangul composed."""
    return unicodedata.normalize("NFC", " ".join(text.split()))


# -- labels --------------------------------------------------------------------------------------------------------


def _classes(
    corpus: Corpus, given: Counter[Given], label_map: LabelNames | None, names: tuple[str, ...] | None
) -> tuple[dict[str, str], tuple[str, ...]]:
    """(the class of each label that has one, all classes). Raises DataError as `annotate`."""
    labels: Counter[str] = Counter()
    for several, rows in given.items():
        labels.update(dict.fromkeys(several, rows))
    files = ", ".join(file.name for file in corpus.files)
    if len(labels) > MOST_LABELS:
        raise DataError(
            f"{files}: {len(labels):,} different labels, more than {MOST_LABELS:,}, such as {counted(labels, 3)}; "
            "say which column holds the label: --label-column NAME"
        )
    if label_map is None:
        class_of = {label: label for label in labels if names is None or label in names}
        _refuse_numbers(files, labels, names or ())
        _refuse_strangers(
            corpus, files, {label: n for label, n in labels.items() if label not in class_of}, names or ()
        )
    else:
        class_of = label_map.class_of(names or ())
        unmapped = {one: n for one, n in labels.items() if one not in class_of and one not in label_map.dropped}
        if unmapped:
            raise DataError(
                f"{label_map.where} leaves labels of {files} unmapped: {counted(unmapped)}; put each "
                "on the right of the label that it is, or under drop"
            )
        strange = Counter[str]()
        for label, rows in labels.items():
            if names is not None and label in class_of and class_of[label] not in names:
                strange[class_of[label]] += rows
        _refuse_strangers(corpus, files, strange, names or (), label_map)
    return class_of, tuple(dict.fromkeys([*class_of.values(), *(names or ())]))


def _refuse_numbers(files: str, labels: Counter[str], names: Sequence[str]) -> None:
    numbers = {label: rows for label, rows in labels.items() if _NUMBER.fullmatch(label) and label not in names}
    if numbers:
        raise DataError(
            f"{files}: labels that are numbers: {counted(numbers)}; a number means nothing on its own: name them with "
            '--label-map FILE.toml, where [labels] has lines such as "기쁨" = ["4"]'
        )


def _refuse_strangers(
    corpus: Corpus, files: str, strange: dict[str, int], names: Sequence[str], label_map: LabelNames | None = None
) -> None:
    """Raises DataError where there are labels that are not allowed."""
    if not strange:
        return
    published = [file.kind for file in corpus.files if file.kind in BUILT_IN]
    step = "name, merge or drop them with --label-map FILE.toml"
    if label_map is not None:
        step = f"correct {label_map.where}: the model's labels stand on the left"
    elif published and set(names) == set(DEFAULT_LABELS):
        step = f"give --label-map {published[0]}"
    raise DataError(f"{files}: labels that are not among {', '.join(names)}: {counted(strange)}; {step}")


def _outcomes(
    given: list[Given], class_of: dict[str, str], classes: tuple[str, ...], label_map: LabelNames | None
) -> dict[Given, int]:
    """Of each combination of labels: the number of its class, or why it has none."""
    if label_map is None:
        single: dict[Given, int] = {labels: classes.index(labels[0]) for labels in given if len(labels) == 1}
        return {labels: single.get(labels, _UNCLEAR if labels else _UNLABELLED) for labels in given}
    known = sorted({label for labels in given for label in labels})
    place = {label: number for number, label in enumerate(known)}
    marks = np.zeros((len(given), len(known)), np.float32)
    for row, labels in enumerate(given):
        marks[row, [place[label] for label in labels]] = 1
    weighed = LabelMap.weighed(label_map, class_of, known, classes).hard(marks).tolist()
    outcomes = dict(zip(given, weighed, strict=True))
    for labels in given:
        if not any(label in class_of for label in labels):
            outcomes[labels] = _DROPPED if labels else _UNLABELLED
    return outcomes


# -- the same text -------------------------------------------------------------------------------------------------


def _settle(corpus: Corpus, fates: NDArray[np.int64]) -> None:
    """Leave one row of those that are the same; the others are repeated or contradictory. fates: changed in place."""
    same: dict[tuple[str | None, str], list[int]] = {}
    for row in np.flatnonzero(fates >= 0).tolist():
        previous = corpus.previous[row]
        same.setdefault((previous and same_text(previous), same_text(corpus.texts[row] or "")), []).append(row)
    for rows in same.values():
        if len(rows) > 1:
            labels = fates[rows]
            winner, _ = Counter(labels.tolist()).most_common(1)[0]  # of equally frequent ones the first
            fates[rows] = np.where(labels == winner, _REPEATED, _CONTRADICTORY)
            fates[rows[int(np.argmax(labels == winner))]] = winner


def _counts(fates: NDArray[np.int64]) -> AnnotatedCounts:
    def of(fate: int) -> int:
        return int((fates == fate).sum())

    return AnnotatedCounts(
        read=len(fates),
        empty=of(_EMPTY),
        unlabelled=of(_UNLABELLED),
        dropped=of(_DROPPED),
        unclear=of(_UNCLEAR),
        repeated=of(_REPEATED),
        contradictory=of(_CONTRADICTORY),
        kept=int((fates >= 0).sum()),
    )
