"""A classifier over the categories of an answer book is trained, and its folder works in the bot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emojob.pipeline.inference.scorer import Scorer
from emojob.schemas.errors import DataError, OutputError
from emojob.training.data.splits import Split
from emojob.training.replies.classifier import CategoryOptions, train_categories
from emojob.training.replies.pair_columns import PairColumns
from emojob.training.replies.pairs import Pairs, gather

SUBJECTS = {"배송": "택배 배송 배달", "환불": "환불 결제 취소", "날씨": "비 바람 구름"}


def pairs_of_subjects() -> Pairs:
    rows = [
        (f"{when} {word} {rest}", "네, 알겠습니다.", category)
        for category, words in SUBJECTS.items()
        for word in words.split()
        for when in ("오늘", "어제", "내일", "지금")
        for rest in ("어때요", "언제예요")
    ]
    questions, answers, categories = (list(column) for column in zip(*rows, strict=True))
    return gather([PairColumns("columns", questions, answers, categories)])


def parts_of(pairs: Pairs) -> Split:
    rows = np.arange(len(pairs.pairs))
    return Split(rows[rows % 4 != 0], rows[rows % 8 == 0], rows[rows % 8 == 4], 0)


@pytest.mark.slow
def test_a_classifier_learns_the_categories_and_a_second_run_does_nothing(base: Path, tmp_path: Path) -> None:
    pairs, out = pairs_of_subjects(), tmp_path / "model"
    options = CategoryOptions(str(base), "cpu", changes={"epochs": 12, "max_length": 16})
    assert not train_categories(pairs, parts_of(pairs), out, options)
    scorer = Scorer.load(out, engine="torch", device="cpu", precision="fp32", max_length=16)
    assert set(scorer.model.labels) == set(SUBJECTS)
    tested = [pairs.pairs[row] for row in parts_of(pairs).test]
    found = scorer.score([pair.question for pair in tested]).probabilities.argmax(1)
    right = [scorer.model.labels[label] == pair.category for label, pair in zip(found, tested, strict=True)]
    assert np.mean(right) > 0.6
    assert train_categories(pairs, parts_of(pairs), out, options)
    with pytest.raises(OutputError, match="other inputs"):
        train_categories(pairs, parts_of(pairs), out, CategoryOptions(str(base), "cpu", changes={"epochs": 2}))


def test_one_category_is_refused(tmp_path: Path) -> None:
    pairs = gather([PairColumns("columns", ["가요", "나요"], ["네", "네"], ["하나", "하나"])])
    with pytest.raises(DataError, match="needs two categories"):
        train_categories(pairs, parts_of(pairs), tmp_path / "model", CategoryOptions())
