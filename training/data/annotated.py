"""Give each text of a corpus one label, and leave out repeated texts.

`AnnotatedCounts` shows how many rows are kept, and how many are left out for each reason.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emojob.pipeline.reading.context import with_text
from emojob.schemas.errors import DataError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.data.corpus import Corpus, RawLabels
from emojob.training.data.label_map import BUILT_IN, LabelMap, LabelNames, listed_with_counts

#: Maximum number of different labels. A column with more labels is probably not the label column.
MOST_LABELS = 1000

#: A column with more labels than this, and more than one label for two texts, is probably not the label column either.
_FEW_LABELS = 20

#: (normalised previous utterance or "", normalised text): see `pair_key`.
TextKey = tuple[str, str]

_NUMBER = re.compile(r"[0-9.,;|/+\s-]*[0-9][0-9.,;|/+\s-]*")

#: Outcome codes of rows that are left out. For a kept row, the outcome is the class number (0 or more).
_UNCLEAR, _UNLABELLED, _DROPPED, _EMPTY, _REPEATED, _CONTRADICTORY = -1, -2, -3, -4, -5, -6


@dataclass(frozen=True)
class AnnotatedCounts:
    """Number of rows that are kept, and number of rows that are left out for each reason.

    Attributes:
        read: All rows; the sum of the other counts.
        empty: Rows without text.
        unlabelled: Rows without a label.
        dropped: Rows whose labels are all in the list `drop` of the label map.
        unclear: Rows with several labels, but without one clear class.
        repeated: Left-out rows with the same text and the same label as a kept row.
        contradictory: Left-out rows with the same text as a kept row, but a different label.
        kept: Rows that are used.
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
        """Return the counts in one line for the terminal. Counts of 0 are omitted."""
        others = [f"{count:,} {name}" for name, count in asdict(self).items() if count and name not in ("read", "kept")]
        return f"{self.read:,} rows = {self.kept:,} kept" + "".join(f" + {other}" for other in others)


@dataclass(frozen=True)
class Annotated:
    """Texts with one label each, in the order of the corpus.

    Attributes:
        texts: The utterances.
        previous: Previous utterance of each text; None if there is no previous utterance.
        conversations: Conversation ID of each text; None if the text belongs to no conversation. If several rows have
            the text, this is the conversation of the first row.
        labels: int64 [texts]: the label id of each text.
        names: Label names. The label id is the index in `names`.
        counts: Row counts of the whole corpus. `take` does not change these counts.
    """

    texts: list[str]
    previous: list[str | None]
    conversations: list[str | None]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    counts: AnnotatedCounts

    def take(self, rows: NDArray[np.int64]) -> Annotated:
        """Return the texts of the given rows, in the order of `rows`."""
        return Annotated(
            [self.texts[row] for row in rows],
            [self.previous[row] for row in rows],
            [self.conversations[row] for row in rows],
            self.labels[rows],
            self.names,
            self.counts,
        )

    def keys(self) -> list[TextKey]:
        """Return the key of each text (see `pair_key`)."""
        return [pair_key(*pair) for pair in zip(self.previous, self.texts, strict=True)]


def annotate(corpus: Corpus, label_map: LabelNames | None, names: tuple[str, ...] | None = None) -> Annotated:
    """Return the distinct texts of a corpus, each with one label.

    - If a row has several labels, the label map chooses one class (see `LabelMap.hard`). If there is no label map, or
      the label map finds no clear class, the row is left out and counted as unclear.
    - If several rows have the same text and the same previous utterance, one row is kept: the first row with the most
      frequent label. `pair_key` defines which texts are the same.

    Args:
        corpus: The texts, with the labels as written in the files.
        label_map: Renames, merges and drops labels. None: keep the labels as written.
        names: The allowed labels in id order, for example the labels of a model. None: all labels are allowed.

    Raises:
        DataError: A label is not in the map, is not allowed, or is only a number; or there are too many labels.
    """
    has_text = np.asarray(with_text(pa.array(corpus.texts, pa.large_string())))
    outcomes = np.full(len(corpus.texts), _EMPTY, np.int64)
    rows = np.flatnonzero(has_text)
    combinations = Counter(corpus.raw_labels[row] for row in rows.tolist())
    class_of, classes = _classes(corpus, combinations, label_map, names)
    outcome_of = _outcome_of(list(combinations), class_of, classes, label_map)
    outcomes[rows] = [outcome_of[corpus.raw_labels[row]] for row in rows.tolist()]
    conversations = _mark_repeated(corpus, outcomes)
    kept = np.flatnonzero(outcomes >= 0)
    present = {classes[label] for label in np.unique(outcomes[kept]).tolist()}
    final = names if names is not None else ordered_labels(present)
    id_of_class = np.array([final.index(name) if name in final else -1 for name in classes], np.int64)
    return Annotated(
        [corpus.texts[row] or "" for row in kept],
        [corpus.previous[row] for row in kept],
        [conversations[row] for row in kept.tolist()],
        id_of_class[outcomes[kept]],
        final,
        _counts(outcomes),
    )


def ordered_labels(labels: set[str]) -> tuple[str, ...]:
    """Return labels in id order: the order of `DEFAULT_LABELS` if the set equals the default labels, else sorted."""
    return DEFAULT_LABELS if labels == set(DEFAULT_LABELS) else tuple(sorted(labels))


def text_key(text: str) -> str:
    """Normalise a text for comparison: collapse white space and compose Hangul (NFC)."""
    return unicodedata.normalize("NFC", " ".join(text.split()))


def pair_key(previous: str | None, text: str) -> TextKey:
    """Return the key of a text: two texts are the same if the text and the previous utterance are the same.

    Args:
        previous: The previous utterance; None if there is none, or if the model does not read previous utterances.
        text: The text.
    """
    return text_key(previous or ""), text_key(text)


# -- labels --------------------------------------------------------------------------------------------------------


def _classes(
    corpus: Corpus, combinations: Counter[RawLabels], label_map: LabelNames | None, names: tuple[str, ...] | None
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return a dict {label: class}, and the names of all classes.

    Labels that the label map drops are not in the dict.

    Raises:
        DataError: The corpus has too many labels, or labels that are not allowed.
    """
    labels: Counter[str] = Counter()
    for combination, rows in combinations.items():
        labels.update(dict.fromkeys(combination, rows))
    files = ", ".join(file.name for file in corpus.files)
    _refuse_texts(files, labels)
    if label_map is None:
        class_of = {label: label for label in labels if names is None or label in names}
        _refuse_numbers(files, labels, names or ())
        unknown: Mapping[str, int] = {label: rows for label, rows in labels.items() if label not in class_of}
    else:
        class_of = label_map.class_of(names or ())
        _refuse_unmapped(files, labels, class_of, label_map)
        unknown = Counter[str]()
        for label, rows in labels.items():
            if names is not None and label in class_of and class_of[label] not in names:
                unknown[class_of[label]] += rows
    _refuse_unknown(corpus, unknown, names or (), label_map)
    return class_of, tuple(dict.fromkeys([*class_of.values(), *(names or ())]))


def _refuse_texts(files: str, labels: Counter[str]) -> None:
    """Raise DataError if the labels look like the texts or the IDs of a table. The message contains none of them."""
    rows = labels.total()
    if len(labels) <= min(MOST_LABELS, max(_FEW_LABELS, rows // 2)):
        return
    limit = f"at most {MOST_LABELS:,} are allowed" if len(labels) > MOST_LABELS else "labels usually repeat"
    raise DataError(
        f"{files}: the label column has {len(labels):,} different labels in {rows:,} rows; {limit}; "
        "give the right column with --label-column NAME"
    )


def _refuse_numbers(files: str, labels: Mapping[str, int], names: Sequence[str]) -> None:
    numbers = {label: rows for label, rows in labels.items() if _NUMBER.fullmatch(label) and label not in names}
    if numbers:
        raise DataError(
            f"{files}: some labels are only numbers: {listed_with_counts(numbers)}; give each number a name with "
            '--label-map FILE.toml; in the file, write [labels], then lines such as "기쁨" = ["4"]'
        )


def _refuse_unmapped(files: str, labels: Mapping[str, int], class_of: dict[str, str], label_map: LabelNames) -> None:
    known = {*class_of, *label_map.dropped}
    unmapped = {label: rows for label, rows in labels.items() if label not in known}
    if unmapped:
        raise DataError(
            f"{label_map.where} does not contain these labels, which occur in {files}: {listed_with_counts(unmapped)}; "
            'add each label to a list such as "기쁨" = ["행복"], or to the list `drop`'
        )


def _refuse_unknown(
    corpus: Corpus, unknown: Mapping[str, int], names: Sequence[str], label_map: LabelNames | None
) -> None:
    """Raise DataError if there are unknown labels. `unknown` contains the count of each unknown label."""
    if not unknown:
        return
    files = ", ".join(file.name for file in corpus.files)
    published = [file.kind for file in corpus.files if file.kind in BUILT_IN]
    step = "rename, merge or drop them with --label-map FILE.toml"
    if label_map is not None:
        step = f"correct {label_map.where}: write only labels of the model before each ="
    elif published and set(names) == set(DEFAULT_LABELS):
        step = f"give --label-map {published[0]}"
    raise DataError(
        f"{files}: the model does not have the labels {listed_with_counts(unknown)}; the labels of the model are "
        f"{', '.join(names)}; {step}"
    )


def _outcome_of(
    combinations: list[RawLabels], class_of: dict[str, str], classes: tuple[str, ...], label_map: LabelNames | None
) -> dict[RawLabels, int]:
    """Return the class number for each combination of labels, or a negative code such as `_UNCLEAR`."""
    if label_map is None:
        single: dict[RawLabels, int] = {labels: classes.index(labels[0]) for labels in combinations if len(labels) == 1}
        return {labels: single.get(labels, _UNCLEAR if labels else _UNLABELLED) for labels in combinations}
    known = sorted({label for labels in combinations for label in labels})
    column_of = {label: number for number, label in enumerate(known)}
    marks = np.zeros((len(combinations), len(known)), np.float32)
    for row, labels in enumerate(combinations):
        marks[row, [column_of[label] for label in labels]] = 1
    heaviest = LabelMap.weighed(label_map, class_of, known, classes).hard(marks).tolist()
    outcomes = dict(zip(combinations, heaviest, strict=True))
    for labels in combinations:
        if not any(label in class_of for label in labels):
            outcomes[labels] = _DROPPED if labels else _UNLABELLED
    return outcomes


# -- repeated texts ------------------------------------------------------------------------------------------------


def _mark_repeated(corpus: Corpus, outcomes: NDArray[np.int64]) -> dict[int, str | None]:
    """Mark repeated texts in `outcomes`: of all rows with the same text, keep one row.

    The removed rows are marked as repeated (same label as the kept row) or contradictory (different label).

    Returns:
        {kept row: conversation of the first row with this text}. Rows that are added at the end of the data do not
        change this conversation, so `splits` keeps the text in the same split.
    """
    rows_of: dict[TextKey, list[int]] = {}
    for row in np.flatnonzero(outcomes >= 0).tolist():
        rows_of.setdefault(pair_key(corpus.previous[row], corpus.texts[row] or ""), []).append(row)
    conversations = {}
    for rows in rows_of.values():
        labels = outcomes[rows]
        winner, _ = Counter(labels.tolist()).most_common(1)[0]  # in a tie, the label that occurs first
        outcomes[rows] = np.where(labels == winner, _REPEATED, _CONTRADICTORY)
        kept = rows[int(np.argmax(labels == winner))]
        outcomes[kept] = winner
        conversations[kept] = corpus.conversations[rows[0]]
    return conversations


def _counts(outcomes: NDArray[np.int64]) -> AnnotatedCounts:
    def count(outcome: int) -> int:
        return int((outcomes == outcome).sum())

    return AnnotatedCounts(
        read=len(outcomes),
        empty=count(_EMPTY),
        unlabelled=count(_UNLABELLED),
        dropped=count(_DROPPED),
        unclear=count(_UNCLEAR),
        repeated=count(_REPEATED),
        contradictory=count(_CONTRADICTORY),
        kept=int((outcomes >= 0).sum()),
    )
