"""Near-copies are detected, and chosen texts are far from each other."""

import numpy as np
import pytest

from emojob.pipeline.active_learning.diversity import NEAR, Leaders, farthest_first, vectors


def cosine(one: str, other: str) -> float:
    a, b = vectors([one, other])
    return float(a @ b)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("주문 번호 12345 언제 오나요", "주문 번호 77 언제 오나요"),
        ("진짜 너무하네요ㅋㅋㅋㅋㅋㅋ", "진짜 너무하네요ㅋㅋㅋ"),
        ("배송이 늦어서 정말 화가 납니다", "배송이 늦어서 정말 화가 납니다!!"),
        ("배송이 늦어서 정말 화가 나요", "배송이 너무 늦어서 정말 화가 나요"),
    ],
)
def test_near_copies_are_detected(one, other):
    assert cosine(one, other) >= NEAR


@pytest.mark.parametrize(
    ("one", "other"),
    [("배송이 늦어서 화가 납니다", "내일 비가 온다던데요"), ("고마워요", "미안해요"), ("싫어", "싫어요 진짜로")],
)
def test_different_texts_are_not_near_copies(one, other):
    assert cosine(one, other) < NEAR


def test_a_vector_does_not_depend_on_other_texts():
    texts = [f"{word} 하루였어요" for word in ("긴", "기쁜", "슬픈")] * 900
    together = vectors(texts)
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.array_equal(together[2000], vectors([texts[2000]])[0])


def test_the_first_of_several_near_copies_is_the_leader():
    texts = [
        "오늘은 정말 좋은 날 1",
        "전화를 안 받으시네요",
        "오늘은 정말 좋은 날 2",
        "전화를 안 받으시네요?",
        "집에 가고 싶어",
    ]
    leaders = Leaders(10)
    assert leaders.admit(vectors(texts)).tolist() == [True, True, False, False, True]
    assert leaders.admit(vectors(["오늘은 정말 좋은 날 33", "밥은 먹었니"])).tolist() == [False, True]
    assert len(leaders.vectors) == 4


def test_the_number_of_leaders_is_limited():
    leaders = Leaders(2)
    assert leaders.admit(vectors(["가나다라", "마바사아", "자차카타"])).tolist() == [True, True, False]
    assert leaders.full


def test_far_texts_and_texts_of_high_weight_are_chosen_first():
    rows = vectors(["환불해 주세요", "환불해 주세요!", "날씨가 좋네요", "점심 뭐 드셨어요"])
    weights, one_class = np.array([1, 1, 0.9, 0.8], np.float32), np.zeros(4, np.int64)
    assert farthest_first(rows, weights, one_class, 4).tolist() == [0, 2, 3, 1]


def test_classes_get_equal_shares_if_all_else_is_equal():
    rows = np.eye(100, 256, dtype=np.float32)
    classes = np.array([0] * 90 + [1] * 10)
    chosen = farthest_first(rows, np.ones(100, np.float32), classes, 20)
    assert np.bincount(classes[chosen]).tolist() == [10, 10]


def test_no_text_is_chosen_twice_even_if_all_are_equal():
    rows = np.repeat(vectors(["똑같은 말"]), 5, axis=0)
    assert sorted(farthest_first(rows, np.zeros(5, np.float32), np.zeros(5, np.int64), 9).tolist()) == [0, 1, 2, 3, 4]
