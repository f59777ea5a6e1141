"""A corpus's own labels become classes by the rule: 1 / labels in the class, clear from 1.3 times the next on."""

import numpy as np
import pytest

from schemas.errors import OptionError
from schemas.labels import DEFAULT_LABELS
from training.corpora import KOTE_LABELS
from training.mapping import LabelMap
from training.recipe import read_recipe

SMALL = LabelMap.from_table({"a": ["p", "q"], "b": ["r", "s", "t"], "dropped": ["u"]}, "pqrstu", "small", ("a", "b"))


def marks(*given: str) -> np.ndarray:
    return np.array([[float(label in one) for label in "pqrstu"] for one in given], np.float32)


def test_a_label_weighs_one_by_the_number_of_labels_in_its_class():
    np.testing.assert_allclose(SMALL.soft(marks("p", "pr", "prst")), [[1, 0], [0.6, 0.4], [1 / 3, 2 / 3]], rtol=1e-6)


def test_a_text_counts_from_1_3_times_the_next_class_on():
    # p against r: 1/2 to 1/3, 1.5 times; p against r and s: 1/2 to 2/3, 1.33 times; pq against rst: a draw
    assert SMALL.hard(marks("pr", "prs", "pqrst")).tolist() == [0, 1, -1]


def test_exactly_1_3_times_is_enough():
    ten = [f"a{i}" for i in range(10)]
    thirteen = [f"b{i}" for i in range(13)]
    tie = LabelMap.from_table({"a": ten, "b": thirteen}, [*ten, *thirteen], "tie", ("a", "b"))
    both = np.zeros((1, 23), np.float32)
    both[0, [0, 10]] = 1  # 1/10 against 1/13
    assert tie.hard(both).tolist() == [0]


def test_a_text_with_dropped_labels_alone_has_no_class():
    assert np.isnan(SMALL.soft(marks("u"))).all()
    assert SMALL.hard(marks("u")).tolist() == [-1]


def test_an_unmapped_label_is_an_error_that_names_all_of_them():
    with pytest.raises(OptionError, match="unmapped labels: s, t"):
        LabelMap.from_table({"a": ["p", "q"], "b": ["r"], "dropped": ["u"]}, "pqrstu", "small", ("a", "b"))


def test_an_unknown_class_is_an_error():
    with pytest.raises(OptionError, match="unknown class 'c'"):
        LabelMap.from_table({"c": ["p"]}, "p", "small", ("a", "b"))


def test_kote_maps_as_the_quality_figures_do():
    weights = read_recipe().kote.weights
    members = {label: int((weights[:, i] > 0).sum()) for i, label in enumerate(DEFAULT_LABELS)}
    assert members == {"일상": 3, "분노": 8, "불안": 5, "슬픔": 4, "기쁨": 13, "우울": 6}
    assert weights[KOTE_LABELS.index("절망"), DEFAULT_LABELS.index("우울")] == pytest.approx(1 / 6)
    assert not weights[KOTE_LABELS.index("놀람")].any()


def test_sharpness_gives_the_heaviest_class_more():
    soft, sharp = (SMALL.soft(marks("pr"), power)[0] for power in (1.0, 4.0))
    assert sharp[0] > soft[0] > 0.5
    assert sharp.sum() == pytest.approx(1)
