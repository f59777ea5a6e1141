"""Read published corpora: texts, ratings and label names.

The corpora are film reviews (Parquet), KOTE and the Korean GoEmotions (TSV), questions and answers (CSV), and dialogue
lines (CSV). The dialogue lines were written for this project.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from emojob.schemas.errors import DataError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.data.label_map import listed_with_counts

# the label id is the index in the list
KOTE_LABELS = [
    "불평/불만", "환영/호의", "감동/감탄", "지긋지긋", "고마움", "슬픔", "화남/분노", "존경", "기대감",
    "우쭐댐/무시함", "안타까움/실망", "비장함", "의심/불신", "뿌듯함", "편안/쾌적", "신기함/관심", "아껴주는",
    "부끄러움", "공포/무서움", "절망", "한심함", "역겨움/징그러움", "짜증", "어이없음", "없음", "패배/자기혐오",
    "귀찮음", "힘듦/지침", "즐거움/신남", "깨달음", "죄책감", "증오/혐오", "흐뭇함(귀여움/예쁨)", "당황/난처",
    "경악", "부담/안_내킴", "서러움", "재미없음", "불쌍함/연민", "놀람", "행복", "불안/걱정", "기쁨", "안심/신뢰",
]  # fmt: skip

GOEMOTIONS_LABELS = [
    "admiration", "amusement", "anger", "annoyance", "approval", "caring", "confusion", "curiosity", "desire",
    "disappointment", "disapproval", "disgust", "embarrassment", "excitement", "fear", "gratitude", "grief",
    "joy", "love", "nervousness", "optimism", "pride", "realization", "relief", "remorse", "sadness",
    "surprise", "neutral",
]  # fmt: skip

#: Label names of each corpus. The label id is the index in the list.
LABELS = {"kote": KOTE_LABELS, "goemotions": GOEMOTIONS_LABELS}

#: Column numbers of (text, label ids) in the published files. The first column has the number 0.
TEXT_AND_IDS = {"kote": (1, 2), "goemotions": (0, 1)}

_IDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{1,3})*")
_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True)
class Labelled:
    """Texts with one or more labels each.

    Attributes:
        texts: The utterances.
        marks: float32 [texts, labels]: 1 for the labels of a text, else 0.
        labels: All label names of the corpus. The label id is the index in the list.
    """

    texts: list[str]
    marks: NDArray[np.float32]
    labels: list[str]

    def take(self, rows: NDArray[np.int64]) -> Labelled:
        """Return the texts of the given rows, in the order of `rows`."""
        return Labelled([self.texts[row] for row in rows], self.marks[rows], self.labels)


def kote(path: Path) -> Labelled:
    """Read the TSV file of KOTE. The columns are id, text and label ids. Cells may be quoted as in CSV."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))
    return _labelled([row[1] for row in rows], [row[2] for row in rows], KOTE_LABELS)


def goemotions(path: Path) -> Labelled:
    """Read the TSV file of the Korean GoEmotions.

    The first columns are text and label ids. Quotes belong to the text.
    """
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").rstrip("\n").split("\n")]
    return _labelled([row[0] for row in rows], [row[1] for row in rows], GOEMOTIONS_LABELS)


def dialogue(path: Path) -> Labelled:
    """Read a CSV file of this project's dialogue lines. The columns are text and label. Each text has one label."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    marks = np.eye(len(DEFAULT_LABELS), dtype=np.float32)[[DEFAULT_LABELS.index(row["label"]) for row in rows]]
    return Labelled([row["text"] for row in rows], marks, list(DEFAULT_LABELS))


def publisher(first_row: Sequence[str]) -> str | None:
    """Return the corpus (kote or goemotions) whose rows look like `first_row`; None if no corpus matches."""
    if len(first_row) == 3 and _NUMBER.fullmatch(first_row[0]) and _IDS.fullmatch(first_row[2]):
        return "kote"
    if len(first_row) > 1 and not _NUMBER.fullmatch(first_row[0]) and _IDS.fullmatch(first_row[1]):
        return "goemotions"
    return None


def named_labels(cells: Sequence[str | None], publisher: str, file: str) -> list[tuple[str, ...] | None]:
    """Translate label ids to label names; None for a cell without valid ids.

    Args:
        cells: Label ids of each row, separated by commas.
        publisher: kote or goemotions.
        file: Name of the file, for error messages.

    Raises:
        DataError: The corpus does not have one of the ids; or every row has exactly one id from 0 to 9. In this case,
            the file is probably from another corpus.
    """
    ids = [tuple(map(int, cell.split(","))) if cell and _IDS.fullmatch(cell) else None for cell in cells]
    names = LABELS[publisher]
    unknown = Counter(label_id for row in ids if row for label_id in row if label_id >= len(names))
    if unknown:
        raise DataError(
            f"{file} looks like a file of {publisher}, but {publisher} does not have the label ids "
            f"{listed_with_counts({str(label_id): rows for label_id, rows in unknown.items()})}; the ids of "
            f"{publisher} are 0 to {len(names) - 1}; correct the ids, or, for another corpus, add a header line with "
            "the columns text and label and write label names instead of ids"
        )
    if not any(row and (len(row) > 1 or row[0] > 9) for row in ids):
        raise DataError(
            f"{file} has no header line, and its labels are only numbers; add a header line with the columns text and "
            "label, and give each number a name with --label-map FILE.toml"
        )
    return [None if row is None else tuple(dict.fromkeys(names[label_id] for label_id in row)) for row in ids]


def reviews(path: Path) -> tuple[list[str], NDArray[np.float32]]:
    """Return (distinct reviews of a Parquet file, first rating of each review). Ratings are scaled to 0 to 1."""
    table = pq.read_table(path, columns=["review", "rating"])
    ratings = (table["rating"].to_numpy().astype(np.float32) - 1) / 9
    first_rating: dict[str, float] = {}
    for text, rating in zip(table["review"].to_pylist(), ratings.tolist(), strict=True):
        first_rating.setdefault(text, rating)
    return list(first_rating), np.fromiter(first_rating.values(), np.float32, len(first_rating))


def questions_and_answers(path: Path) -> list[str]:
    """Return all questions and answers of a CSV file with the columns Q and A."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row[column] for row in csv.DictReader(file) for column in ("Q", "A") if row[column]]


def _labelled(texts: list[str], ids: list[str], labels: list[str]) -> Labelled:
    marks = np.zeros((len(texts), len(labels)), np.float32)
    for row, numbers in enumerate(ids):
        marks[row, [int(number) for number in numbers.split(",")]] = 1
    return Labelled(texts, marks, labels)
