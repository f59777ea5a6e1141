"""Label maps: a label weighs 1 / (labels in its class); a class needs 1.3 times the weight of the next."""

import numpy as np
import pytest

from emojob.schemas.errors import OptionError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.data.label_map import LabelMap, LabelNames, listed_with_counts, read_label_map, read_label_names
from emojob.training.data.published import GOEMOTIONS_LABELS, KOTE_LABELS
from emojob.training.default_model.recipe import read_recipe

NAMES = LabelNames("small", {"a": ("p", "q"), "b": ("r", "s", "t")}, ("u",))
SMALL = LabelMap.from_names(NAMES, "pqrstu", ("a", "b"))


def marks(*given: str) -> np.ndarray:
    return np.array([[float(label in one) for label in "pqrstu"] for one in given], np.float32)


def test_a_label_weighs_1_divided_by_the_labels_in_its_class():
    np.testing.assert_allclose(SMALL.soft(marks("p", "pr", "prst")), [[1, 0], [0.6, 0.4], [1 / 3, 2 / 3]], rtol=1e-6)


def test_a_class_needs_1_3_times_the_weight_of_the_next():
    # p against r: 1/2 to 1/3, 1.5 times; p against r and s: 1/2 to 2/3, 1.33 times; pq against rst: a draw
    assert SMALL.hard(marks("pr", "prs", "pqrst")).tolist() == [0, 1, -1]


def test_exactly_1_3_times_is_enough():
    ten = tuple(f"a{i}" for i in range(10))
    thirteen = tuple(f"b{i}" for i in range(13))
    tie = LabelMap.from_names(LabelNames("tie", {"a": ten, "b": thirteen}), [*ten, *thirteen], ("a", "b"))
    both = np.zeros((1, 23), np.float32)
    both[0, [0, 10]] = 1  # 1/10 against 1/13
    assert tie.hard(both).tolist() == [0]


def test_a_text_with_only_dropped_labels_has_no_class():
    assert np.isnan(SMALL.soft(marks("u"))).all()
    assert SMALL.hard(marks("u")).tolist() == [-1]


def test_a_single_class_is_enough():
    alone = LabelMap.from_names(LabelNames("one", {"a": ("p",)}, ("q",)), "pq", ("a",))
    assert alone.hard(np.eye(2, dtype=np.float32)).tolist() == [0, -1]


def test_unmapped_labels_are_listed():
    with pytest.raises(OptionError, match="no class for these labels: s, t"):
        LabelMap.from_names(LabelNames("small", {"a": ("p", "q"), "b": ("r",)}, ("u",)), "pqrstu", ("a", "b"))


def test_an_unknown_class_or_label_is_an_error():
    with pytest.raises(OptionError, match=r"unknown classes \(the classes are a, b\): c"):
        LabelMap.from_names(LabelNames("small", {"c": ("p",)}), "p", ("a", "b"))
    with pytest.raises(OptionError, match="unknown labels: z"):
        LabelMap.from_names(LabelNames("small", {"a": ("p", "z")}), "p", ("a", "b"))


def test_the_kote_map_is_that_of_the_quality_figures():
    weights = read_recipe().kote.weights
    members = {label: int((weights[:, i] > 0).sum()) for i, label in enumerate(DEFAULT_LABELS)}
    assert members == {"일상": 3, "분노": 8, "불안": 5, "슬픔": 4, "기쁨": 13, "우울": 6}
    assert weights[KOTE_LABELS.index("절망"), DEFAULT_LABELS.index("우울")] == pytest.approx(1 / 6)
    assert not weights[KOTE_LABELS.index("놀람")].any()


def test_sharpness_gives_the_heaviest_class_more():
    soft, sharp = (SMALL.soft(marks("pr"), power)[0] for power in (1.0, 4.0))
    assert sharp[0] > soft[0] > 0.5
    assert sharp.sum() == pytest.approx(1)


@pytest.mark.parametrize(("name", "labels"), [("kote", KOTE_LABELS), ("goemotions", GOEMOTIONS_LABELS)])
def test_the_shipped_maps_map_or_drop_every_label_of_their_corpus(name, labels):
    names = read_label_names(name)
    assert names.classes == DEFAULT_LABELS
    assert sorted([*names.class_of(), *names.dropped]) == sorted({*labels, *DEFAULT_LABELS})


@pytest.fixture
def written(tmp_path):
    def write(text: str) -> str:
        file = tmp_path / "map.toml"
        file.write_text(text, encoding="utf-8")
        return str(file)

    return write


def test_no_label_map_is_none():
    assert read_label_map(None) is None


def test_a_map_renames_merges_and_drops(written):
    names = read_label_map(written('[labels]\n"기쁨" = ["행복", "6"]\n"분노" = ["짜증"]\ndrop = ["기타"]\n'))
    assert names.class_of() == {"행복": "기쁨", "6": "기쁨", "짜증": "분노", "기쁨": "기쁨", "분노": "분노"}
    assert names.dropped == ("기타",)
    assert names.as_table() == {"기쁨": ["행복", "6"], "분노": ["짜증"], "drop": ["기타"]}


def test_the_heading_may_be_missing_and_drop_may_come_before_it(written):
    assert read_label_map(written('"기쁨" = ["행복"]\ndropped = ["기타"]')).dropped == ("기타",)
    assert read_label_map(written('drop = ["기타"]\n[labels]\n"기쁨" = ["행복"]')).dropped == ("기타",)


def test_a_class_name_that_is_mapped_or_dropped_does_not_map_to_itself():
    names = LabelNames("map", {"슬픔": ("우울",), "우울": ("절망",)}, ("기쁨",))
    assert names.class_of(("기쁨", "분노")) == {"우울": "슬픔", "절망": "우울", "슬픔": "슬픔", "분노": "분노"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[labels]\n"기쁨" = "행복"', "must be a list of quoted labels"),
        ('[labels]\n"기쁨" = [1, 2]', "must be a list of quoted labels"),
        ('[labels]\n"기쁨" = {a = 1}', "must be a list of quoted labels"),
        ("labels = 3", "must be a table"),
        ('[labels]\n"기쁨" = ["행복"]\n"분노" = ["행복"]', "lists some labels twice: 행복"),
        ('[labels]\n"기쁨" = ["행복"]\ndrop = ["행복"]', "lists some labels twice: 행복"),
        ('"기쁨" = ["행복"]\n[labels]\n"기쁨" = ["신남"]', "same keys above and below"),
        ('[labels]\n"" = ["행복"]', "has a line without a name"),
        ("[labels]", "has no labels"),
        ("", "has no labels"),
        ("기쁨: 행복", "is not a valid TOML file"),
    ],
)
def test_an_invalid_map_is_refused_in_one_line(written, text, complaint):
    with pytest.raises(OptionError, match=complaint) as refusal:
        read_label_map(written(text))
    assert "\n" not in str(refusal.value)


def test_a_missing_map_or_one_not_in_utf8_is_refused(tmp_path):
    with pytest.raises(OptionError, match="does not exist; give kote, goemotions or a TOML file"):
        read_label_map("kite")
    with pytest.raises(OptionError, match="cannot be read"):
        read_label_map(str(tmp_path))
    (tmp_path / "map.toml").write_bytes('"기쁨" = ["행복"]'.encode("cp949"))
    with pytest.raises(OptionError, match="is not a valid TOML file in UTF-8"):
        read_label_map(str(tmp_path / "map.toml"))


def test_labels_with_counts_are_on_one_line_most_frequent_first():
    assert listed_with_counts({"상처": 45, "당황": 1234, "a\nb": 1}) == "당황 (1,234), 상처 (45), 'a\\nb' (1)"
    assert listed_with_counts({"a": 3, "b": 2, "c": 1}, 2) == "a (3), b (2), ... (1 more)"
