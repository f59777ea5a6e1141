"""A classifier over the categories of an answer book is trained, and its folder works in the bot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from emojob.pipeline.inference.scorer import Scorer
from emojob.schemas.errors import DataError, OutputError
from emojob.training.data.splits import Split
from emojob.training.replies.classifier import CategoryOptions, prepare_categories
from emojob.training.replies.pair_columns import PairColumns
from emojob.training.replies.pairs import Pairs, gather


def pairs_of(utterances: list[tuple[str, str]]) -> Pairs:
    """Pairs whose categories are the labels of utterances. Each category has the same answer."""
    questions, categories = (list(column) for column in zip(*utterances, strict=True))
    return gather([PairColumns("columns", questions, ["네, 알겠습니다."] * len(questions), categories)])


def parts_of(pairs: Pairs) -> Split:
    rows = np.arange(len(pairs.pairs))
    return Split(rows[rows % 4 != 0], rows[rows % 8 == 0], rows[rows % 8 == 4], 0)


@pytest.mark.slow
def test_a_classifier_learns_the_categories_and_a_second_run_does_nothing(
    base: Path, utterances: list[tuple[str, str]], tmp_path: Path
) -> None:
    pairs, out = pairs_of(utterances[:300]), tmp_path / "model"
    options = CategoryOptions(
        str(base), "cpu", changes={"epochs": 15, "learning_rate": 5e-3, "patience": 0, "max_length": 16}
    )
    assert not prepare_categories(pairs, parts_of(pairs), options).train(out)
    scorer = Scorer.load(out, engine="torch", device="cpu", precision="fp32", max_length=16)
    assert set(scorer.model.labels) == {label for _, label in utterances}
    tested = [pairs.pairs[row] for row in parts_of(pairs).test]
    found = scorer.score([pair.question for pair in tested]).probabilities.argmax(1)
    right = [scorer.model.labels[label] == pair.category for label, pair in zip(found, tested, strict=True)]
    assert np.mean(right) > 0.6
    assert prepare_categories(pairs, parts_of(pairs), options).train(out)
    other = prepare_categories(pairs, parts_of(pairs), CategoryOptions(str(base), "cpu", changes={"epochs": 2}))
    with pytest.raises(OutputError, match="other inputs"):
        other.train(out)


def test_one_category_is_refused() -> None:
    pairs = gather([PairColumns("columns", ["가요", "나요"], ["네", "네"], ["하나", "하나"])])
    with pytest.raises(DataError, match="needs two categories"):
        prepare_categories(pairs, parts_of(pairs), CategoryOptions())
