"""The exact search for the nearest questions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.replies.answers.nearest import NearestQuestions
from tests.examples import examples


def sorted_rows(vectors: np.ndarray, query: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the highest products and their rows, from a full sort in float64."""
    products = (vectors.astype(np.float64) * query).sum(axis=1).astype(np.float32)
    rows = np.lexsort((np.arange(len(products)), -products))[:count]
    return products[rows], rows


@examples(60)
@given(
    questions=st.integers(1, 5000),
    queries=st.integers(1, 20),
    count=st.integers(1, 60),
    distinct=st.integers(1, 300),
    seed=st.integers(0, 2**31),
)
def test_the_nearest_questions_are_those_of_a_full_sort_and_of_equal_ones_the_first(
    questions: int, queries: int, count: int, distinct: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((distinct, 12)).astype(np.float32)[random.integers(0, distinct, questions)]
    asked = random.standard_normal((queries, 12)).astype(np.float32)
    scores, rows = NearestQuestions(vectors).search(asked, count)
    for query, some_scores, some_rows in zip(asked, scores, rows, strict=True):
        wanted_scores, wanted_rows = sorted_rows(vectors, query, count)
        assert some_rows.tolist() == wanted_rows.tolist()
        assert some_scores.tolist() == wanted_scores.tolist()


def test_the_result_of_a_query_does_not_depend_on_the_other_queries() -> None:
    random = np.random.default_rng(5)
    vectors, queries = (random.standard_normal((rows, 96)).astype(np.float32) for rows in (3000, 300))
    vectors[1500:] = vectors[:1500] + np.float32(1e-7)  # near ties
    nearest = NearestQuestions(vectors)
    together = nearest.search(queries, 8)
    for i in range(0, 300, 37):
        alone = nearest.search(queries[i : i + 1], 8)
        assert alone.rows[0].tolist() == together.rows[i].tolist()
        assert alone.scores[0].tolist() == together.scores[i].tolist()


@pytest.mark.parametrize(("questions", "columns"), [(0, 0), (3, 3), (40, 7)])
def test_a_small_book_gives_as_many_questions_as_it_has(questions: int, columns: int) -> None:
    vectors = np.eye(40, dtype=np.float32)[:questions]
    scores, rows = NearestQuestions(vectors).search(np.ones((2, 40), np.float32), 7)
    assert scores.shape == rows.shape == (2, columns)
    assert rows[1].tolist() == list(range(columns))


def test_an_empty_query_finds_the_first_questions_with_the_score_0() -> None:
    vectors = np.random.default_rng(1).standard_normal((500, 16)).astype(np.float32)
    scores, rows = NearestQuestions(vectors).search(np.zeros((1, 16), np.float32), 3)
    assert (scores.tolist(), rows.tolist()) == ([[0, 0, 0]], [[0, 1, 2]])
