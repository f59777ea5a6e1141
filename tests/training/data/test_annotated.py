"""Each kept text has one label; empty, unlabelled, unclear, repeated and contradictory rows are counted."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emojob.schemas.errors import DataError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.data.annotated import annotate, ordered_labels, text_key
from emojob.training.data.corpus import Corpus, CorpusFile
from emojob.training.data.label_map import LabelNames, read_label_map


def corpus(*rows: tuple, kind: str = "table") -> Corpus:
    """A corpus of rows (text, label or labels, previous utterance)."""
    texts, given, previous = [], [], []
    for text, labels, *before in rows:
        texts.append(text)
        given.append((labels,) if isinstance(labels, str) else tuple(labels))
        previous.append(before[0] if before else None)
    file = CorpusFile("a.csv", kind, "0" * 64, 1, len(rows), 0)
    return Corpus(texts, given, previous, [None] * len(rows), (file,))


def counts(annotated) -> dict[str, int]:
    return {name: count for name, count in asdict(annotated.counts).items() if count}


def labels(annotated) -> list[str]:
    return [annotated.names[label] for label in annotated.labels]


def test_every_row_is_kept_or_counted():
    annotated = annotate(
        corpus(
            ("좋아", "기쁨"), (None, "기쁨"), (" \u3000\u200b", "분노"), ("싫어", "분노"), ("글쎄", ()),
            ("복잡해", ("기쁨", "분노")), (" 좋아 ", "기쁨"), ("싫어", "기쁨"), ("싫어", "분노"),
        ),
        None,
    )  # fmt: skip
    assert annotated.texts == ["좋아", "싫어"]
    assert labels(annotated) == ["기쁨", "분노"]
    assert counts(annotated) == {
        "read": 9, "empty": 2, "unlabelled": 1, "unclear": 1, "repeated": 2, "contradictory": 1, "kept": 2
    }  # fmt: skip
    assert annotated.counts.summary() == (
        "9 rows = 2 kept + 2 empty + 1 unlabelled + 1 unclear + 2 repeated + 1 contradictory"
    )


def test_of_contradictory_labels_the_most_frequent_wins():
    annotated = annotate(corpus(("가", "기쁨"), ("가", "슬픔"), ("나", "기쁨"), (" 가", "슬픔")), None)
    assert annotated.texts == ["가", "나"]
    assert labels(annotated) == ["슬픔", "기쁨"]
    assert counts(annotated) == {"read": 4, "repeated": 1, "contradictory": 1, "kept": 2}


def test_on_a_tie_the_first_label_wins():
    annotated = annotate(corpus(("가", "슬픔"), ("가", "기쁨"), ("가", "기쁨"), ("가", "슬픔"), ("나", "기쁨")), None)
    assert labels(annotated) == ["슬픔", "기쁨"]


def test_the_same_text_after_another_utterance_is_kept():
    rows = [("네", "기쁨", "합격이래"), ("네", "슬픔", "떠난대"), ("네", "기쁨", "합격이래 "), ("네", "분노")]
    annotated = annotate(corpus(*rows), None)
    assert list(zip(annotated.previous, labels(annotated), strict=True)) == [
        ("합격이래", "기쁨"), ("떠난대", "슬픔"), (None, "분노")
    ]  # fmt: skip
    assert annotated.counts.repeated == 1


def test_a_repeated_text_belongs_to_the_conversation_of_its_first_row():
    rows = [("네", "기쁨"), ("네", "슬픔"), ("좋아", "기쁨"), ("네", "슬픔")]
    annotated = annotate(replace(corpus(*rows), conversations=["가", "나", "나", "다"]), None)
    assert dict(zip(annotated.texts, annotated.conversations, strict=True)) == {"네": "가", "좋아": "나"}
    assert dict(zip(annotated.texts, labels(annotated), strict=True)) == {"네": "슬픔", "좋아": "기쁨"}


def test_names_are_sorted_and_the_default_six_keep_their_order():
    assert annotate(corpus(("가", "슬픔"), ("나", "기쁨"), ("다", "분노")), None).names == ("기쁨", "분노", "슬픔")
    six = corpus(*[(label, label) for label in sorted(DEFAULT_LABELS)])
    assert annotate(six, None).names == DEFAULT_LABELS
    assert ordered_labels({*DEFAULT_LABELS, "놀람"})[0] == "기쁨"


def test_a_label_map_renames_merges_and_drops():
    label_map = LabelNames("map", {"기쁨": ("행복", "6"), "분노": ("짜증",)}, ("기타",))
    rows = [("가", "행복"), ("나", "6"), ("다", "기쁨"), ("라", "짜증"), ("마", "기타"), ("바", ("기타", "짜증"))]
    annotated = annotate(corpus(*rows), label_map)
    assert labels(annotated) == ["기쁨", "기쁨", "기쁨", "분노", "분노"]
    assert counts(annotated) == {"read": 6, "dropped": 1, "kept": 5}


def test_a_map_entry_without_data_makes_no_class():
    label_map = LabelNames("map", {"기쁨": ("행복",), "분노": ("짜증",), "불안": ()}, ("기타",))
    assert annotate(corpus(("가", "행복"), ("나", "짜증")), label_map).names == ("기쁨", "분노")


def test_several_labels_are_weighed_by_the_map():
    kote = read_label_map("kote")
    rows = [
        ("가", ("절망", "슬픔")),
        ("나", ("기쁨", "행복")),
        ("다", ("없음", "짜증", "기쁨")),
        ("라", ("짜증", "절망")),
    ]
    annotated = annotate(corpus(*rows, ("마", ("놀람", "경악")), kind="kote"), kote)
    # 1/4 to 1/6; 2/13; 1/3 to 1/8 and 1/13; 1/6 to 1/8
    assert labels(annotated) == ["슬픔", "기쁨", "일상", "우울"]
    assert counts(annotated) == {"read": 5, "dropped": 1, "kept": 4}
    close = annotate(corpus(("가", ("불안/걱정", "절망")), kind="kote"), kote)  # 1/5 to 1/6
    assert (close.texts, close.counts.unclear) == ([], 1)


def test_unmapped_labels_are_refused_with_counts():
    rows = [("가", "행복")] + [(f"나{i}", "당황") for i in range(3)] + [(f"다{i}", "상처") for i in range(2)]
    with pytest.raises(
        DataError, match=r"map does not contain these labels, which occur in a.csv: 당황 \(3\), 상처 \(2\)"
    ) as refusal:
        annotate(corpus(*rows), LabelNames("map", {"기쁨": ("행복",)}))
    assert "\n" not in str(refusal.value)


def test_labels_that_a_model_lacks_are_refused_with_counts():
    rows = [("가", "기쁨"), ("나", "당황"), ("다", "상처"), ("라", "당황"), ("", "없는 것")]
    with pytest.raises(
        DataError, match=r"당황 \(2\), 상처 \(1\); the labels of the model are 일상, .* 우울; .*--label-map FILE"
    ):
        annotate(corpus(*rows), None, DEFAULT_LABELS)
    label_map = LabelNames("map", {"불안": ("당황",)}, ("상처",))
    annotated = annotate(corpus(*rows), label_map, DEFAULT_LABELS)  # 기쁨 is the model's own
    assert labels(annotated) == ["기쁨", "불안", "불안"]
    assert annotated.names == DEFAULT_LABELS


def test_names_keep_the_order_of_the_model():
    annotated = annotate(corpus(("가", "b"), ("나", "a")), None, ("c", "b", "a"))
    assert annotated.labels.tolist() == [1, 2]


def test_a_map_to_labels_that_the_model_lacks_is_refused():
    with pytest.raises(DataError, match=r"분노 \(1\); the labels of the model are 기쁨, 슬픔; correct map"):
        annotate(corpus(("가", "짜증")), LabelNames("map", {"분노": ("짜증",)}), ("기쁨", "슬픔"))


@pytest.mark.parametrize("kind", ["kote", "goemotions"])
def test_the_published_corpora_name_their_label_map(kind):
    with pytest.raises(DataError, match=f"give --label-map {kind}$"):
        annotate(corpus(("가", "surprise"), kind=kind), None, DEFAULT_LABELS)


@pytest.mark.parametrize("numbers", [("0", "1"), ("기쁨", "3"), ("0,6,10",), ("-1",), ("1.5",)])
def test_numbers_without_a_map_are_refused(numbers):
    with pytest.raises(DataError, match=r"some labels are only numbers.*--label-map"):
        annotate(corpus(*[(f"가{i}", number) for i, number in enumerate(numbers)]), None)


def test_numbers_that_a_map_or_the_model_names_are_labels():
    rows = corpus(("가", "0"), ("나", "1"))
    assert annotate(rows, LabelNames("map", {"기쁨": ("0",), "분노": ("1",)})).names == ("기쁨", "분노")
    assert annotate(rows, None, ("0", "1")).labels.tolist() == [0, 1]


def test_a_column_with_too_many_labels_is_refused():
    with pytest.raises(DataError, match=r"1,001 different labels.*--label-column"):
        annotate(corpus(*[(f"가{i}", f"말 {i}") for i in range(1001)]), None)


def test_a_column_of_texts_is_refused_and_none_of_them_is_shown():
    with pytest.raises(DataError, match=r"30 different labels in 40 rows.*--label-column") as error:
        annotate(corpus(*[(f"가{i}", f"말 {i % 30}") for i in range(40)]), None)
    assert "말 " not in str(error.value)
    assert annotate(corpus(*[(f"가{i}", f"감정 {i}") for i in range(20)]), None).counts.kept == 20


def test_no_kept_row_is_not_an_error():
    annotated = annotate(corpus((None, "기쁨"), ("가", ())), None)
    assert (annotated.texts, annotated.names, annotated.counts.read) == ([], (), 2)


def test_take_returns_rows_in_the_given_order():
    annotated = annotate(corpus(("가", "기쁨", "앞"), ("나", "분노")), None).take(np.array([1, 0]))
    assert (annotated.texts, annotated.previous, labels(annotated)) == (["나", "가"], [None, "앞"], ["분노", "기쁨"])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.sampled_from(["가", " 가", "나\t다", "나 다", " ", "라"])),
            st.lists(st.sampled_from(["a", "b", "c", "x"]), max_size=2, unique=True),
            st.sampled_from([None, "앞", "앞 "]),
        ),
        max_size=30,
    )
)
def test_counts_add_up_and_no_utterance_is_kept_twice(rows):
    annotated = annotate(corpus(*rows), LabelNames("map", {"A": ("a",), "B": ("b", "c")}, ("x",)))
    every = asdict(annotated.counts)
    assert every.pop("read") == len(rows) == sum(every.values())
    assert annotated.counts.kept == len(annotated.texts) == len(annotated.labels)
    keys = [(p and text_key(p), text_key(t)) for p, t in zip(annotated.previous, annotated.texts, strict=True)]
    assert len(set(keys)) == len(keys)
    assert {annotated.names[label] for label in annotated.labels} == set(annotated.names)
