"""Questions are split so that no question is in two splits, and every category can be learned."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.schemas.errors import OptionError
from emojob.training.replies.pair_columns import PairColumns, question_key
from emojob.training.replies.pairs import Pairs, gather
from emojob.training.replies.question_splits import split_questions
from tests.examples import examples


def pairs_of(rows: list[tuple[str, str | None]]) -> Pairs:
    """Pairs of (question, category), each with an answer of its own."""
    questions, categories = zip(*rows, strict=True) if rows else ((), ())
    answers = [f"{number}번 답" for number in range(len(rows))]
    named = None if None in categories else list(categories)
    return gather([PairColumns("columns", list(questions), answers, named)])


def questions_in(pairs: Pairs, rows: np.ndarray) -> set[str]:
    return {question_key(pairs.pairs[row].question) for row in rows.tolist()}


@pytest.mark.parametrize("other", ["환불 되나요", "환불되나요?", "환불... 되나요!!", "환 불 되 나 요"])
def test_spellings_of_a_question_are_the_same_question(other):
    assert question_key(other) == question_key("환불되나요")


def test_different_questions_differ_even_without_letters():
    assert len({question_key(text) for text in ("환불되나요", "교환되나요", "ㅠㅠ", "?!", "...", "A/S", "1+1")}) == 7
    assert question_key("Café OPEN") == question_key("cafe\u0301 open")


_ROWS = st.lists(
    st.tuples(
        st.sampled_from(
            [f"{word}{mark}" for word in ("가", "나", "다", "라", "마", "바", "사") for mark in ("", "?", " !")]
        ),
        st.sampled_from("abcd"),
    ),
    max_size=40,
)


@given(_ROWS, st.integers(0, 5))
@examples(200)
def test_no_question_is_in_two_splits_and_train_has_every_category(rows, seed):
    pairs = pairs_of(rows)
    found = split_questions(pairs, 0.3, 0.2, seed)
    train, validation, test = (questions_in(pairs, part) for part in (found.train, found.validation, found.test))
    assert len(train | validation | test) == len(train) + len(validation) + len(test)
    assert sorted(np.concatenate([found.train, found.validation, found.test]).tolist()) == list(range(len(pairs.pairs)))
    assert {pairs.pairs[row].category for row in found.train} == {category for _, category in rows}
    assert found.dropped == 0


def test_added_pairs_move_no_question():
    rows = [(f"{number}번 손님이 물었어요", f"분류 {number % 20}") for number in range(600)]
    few, many = pairs_of(rows[:400]), pairs_of(rows[::-1])
    of_few, of_many = split_questions(few, 0.1, 0.1), split_questions(many, 0.1, 0.1)
    for part in ("train", "validation", "test"):
        assert questions_in(few, getattr(of_few, part)) <= questions_in(many, getattr(of_many, part))
    assert 30 < len(of_many.validation) < 90
    assert 30 < len(of_many.test) < 90


def test_pairs_without_categories_are_split_too():
    found = split_questions(pairs_of([(f"{number}번 질문", None) for number in range(200)]), 0.2)
    assert 20 < len(found.validation) < 60
    assert len(found.test) == 0


def test_the_seed_changes_the_split():
    pairs = pairs_of([(f"{number}번 질문", None) for number in range(200)])
    first, second = (split_questions(pairs, 0.2, seed=seed).validation.tolist() for seed in (0, 1))
    assert first != second
    assert first == split_questions(pairs, 0.2, seed=0).validation.tolist()


def test_fractions_that_leave_nothing_to_learn_are_refused():
    with pytest.raises(OptionError, match="fractions"):
        split_questions(pairs_of([("질문", None)]), 0.6, 0.4)
