"""A model folder shows how many of many texts were used for training, but contains no text."""

import json

import numpy as np
import pytest

from emojob.training.data.annotated import Annotated, AnnotatedCounts
from emojob.training.evaluation.seen_texts import FILE, SeenTexts, read_seen_texts, seen_as_json, warnings_about


def annotated(texts: list[str], previous: list[str | None] | None = None) -> Annotated:
    rows = len(texts)
    counts = AnnotatedCounts(rows, 0, 0, 0, 0, 0, 0, rows)
    return Annotated(texts, previous or [None] * rows, [None] * rows, np.zeros(rows, np.int64), ("a",), counts)


TRAINED = [f"오늘은 {number}번째 날이에요" for number in range(1000)]
OTHERS = [f"어제는 {number}번째 밤이었어요" for number in range(1000)]


@pytest.fixture(scope="module")
def seen() -> SeenTexts:
    return SeenTexts.of(annotated(TRAINED).keys(), "none", "salt")


def test_the_number_of_seen_texts_is_estimated(seen):
    assert seen.estimate(annotated(TRAINED)) == 1000
    assert seen.estimate(annotated([f"  {text} " for text in TRAINED[:20]])) == 20
    assert seen.estimate(annotated(TRAINED[:300] + OTHERS[:700])) == pytest.approx(300, abs=25)


def test_other_texts_are_not_reported(seen):
    assert seen.estimate(annotated(OTHERS)) == 0
    assert all(seen.estimate(annotated(OTHERS[start : start + 50])) == 0 for start in range(0, 1000, 50))
    empty = SeenTexts.of([], "none", "salt")
    assert empty.estimate(annotated(OTHERS)) == 0


def test_with_context_the_previous_utterance_counts():
    replies = annotated(["네"] * 200, [f"질문 {number}" for number in range(200)])
    seen = SeenTexts.of(replies.keys(), "previous", "salt")
    assert seen.estimate(replies) == 200
    assert seen.estimate(annotated(["네"] * 200, [f"다른 질문 {number}" for number in range(200)])) == 0
    plain = SeenTexts.of(annotated(TRAINED).keys(), "none", "salt")
    assert plain.estimate(annotated(TRAINED, list(OTHERS))) == 1000  # a model without context ignores it


def test_warnings_name_the_model_and_the_base(seen):
    [line] = warnings_about([seen], annotated(TRAINED), "my_model")
    assert line.startswith("my_model was trained on all 1,000 of these 1,000 texts, so the figures are too good")
    base = SeenTexts.of(annotated(TRAINED).keys(), "none", "other")
    lines = warnings_about([seen, SeenTexts("old", base.texts, base.context, base.salt, base.bits)],
                           annotated(TRAINED[:500] + OTHERS[:500]), "my_model")  # fmt: skip
    assert lines[0].startswith("my_model was trained on about ")
    assert lines[1].startswith("old, the base of my_model, was trained on about ")


def test_the_record_is_read_again_and_contains_no_text(seen, tmp_path):
    content = json.dumps(seen_as_json([seen]), ensure_ascii=False)
    (tmp_path / FILE).write_text(content)
    assert read_seen_texts(tmp_path) == [seen]
    assert not any(word in content for word in ("오늘은", "번째", "날이에요"))
    assert len(content) < 2 * len(TRAINED)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"filters": 3}', '{"filters": [3]}', '{"filters": [{"by": ""}]}', "\xff",
     '{"filters": [{"by": "", "texts": 1, "context": "none", "salt": "", "bits": ""}]}',
     '{"filters": [{"by": "", "texts": 1, "context": "none", "salt": "", "bits": "?"}]}'],
)  # fmt: skip
def test_a_damaged_record_is_ignored(tmp_path, content):
    (tmp_path / FILE).write_text(content, encoding="latin-1")
    assert read_seen_texts(tmp_path) == []
    assert read_seen_texts(tmp_path / "missing") == []


def test_a_full_filter_reports_nothing():
    full = SeenTexts("", 1, "none", "", b"\xff" * 100)
    assert full.estimate(annotated(OTHERS)) == 0
