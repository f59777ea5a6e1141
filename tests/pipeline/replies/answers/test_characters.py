"""Vectors of character n-grams."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from emojob.pipeline.replies.answers import characters

TEXTS = [
    "무선 청소기가 충전이 안 돼요",
    "무선청소기 충전 불량입니다",
    "주말에 바다를 보러 갔어요",
    "쿠폰 번호 AB-1234가 맞나요?",
    "쿠폰을 어디에서 쓰나요",
    "쿠폰 쿠폰 쿠폰",
]


def tf_idf_cosines(texts: list[str]) -> np.ndarray:
    """The exact TF-IDF cosines of all texts: n-grams of 1 to 3 characters, with a space at both ends."""
    padded = [f" {' '.join(text.lower().split())} " for text in texts]
    counts = [Counter(text[i : i + n] for n in (1, 2, 3) for i in range(len(text) - n + 1)) for text in padded]
    documents = Counter(gram for grams in counts for gram in grams)
    rows = np.zeros((len(texts), len(documents)))
    for row, grams in enumerate(counts):
        for place, (gram, documents_with) in enumerate(documents.items()):
            if gram in grams:
                idf = np.log((1 + len(texts)) / (1 + documents_with)) + 1
                rows[row, place] = (1 + np.log(grams[gram])) * idf
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows @ rows.T


def test_the_cosines_are_near_to_the_exact_tf_idf_cosines() -> None:
    vectors = characters.vectors(TEXTS, characters.fit_weights(TEXTS))
    assert vectors.shape == (len(TEXTS), characters.SIZE)
    assert vectors @ vectors.T == pytest.approx(tf_idf_cosines(TEXTS), abs=0.15)


def test_rare_n_grams_count_more_than_frequent_ones() -> None:
    common = [f"{word} 문의드립니다" for word in ("배송", "환불", "교환", "적립금", "영수증", "회원", "주소", "결제")]
    weights = characters.fit_weights(common)
    asked, refund, other = characters.vectors(["환불해 주세요", common[1], common[2]], weights)
    assert asked @ refund > asked @ other + 0.1


def test_the_vector_of_a_text_does_not_depend_on_the_other_texts() -> None:
    weights = characters.fit_weights(TEXTS)
    together = characters.vectors(TEXTS, weights)
    for row, text in enumerate(TEXTS):
        assert characters.vectors([text], weights)[0].tolist() == together[row].tolist()


def test_capital_letters_composed_syllables_and_spaces_do_not_matter() -> None:
    weights = characters.fit_weights(TEXTS)
    plain, other = characters.vectors(["app 오류", "  APP  \u110b\u1169\u1105\u1172 "], weights)
    assert plain.tolist() == other.tolist()


def test_texts_without_characters_are_zero_and_broken_or_long_ones_are_not() -> None:
    weights = characters.fit_weights(TEXTS)
    vectors = characters.vectors(["", " \n", None, "\udc80", "가나다" * 10_000], weights)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([0, 0, 0, 1, 1], abs=1e-6)
    assert characters.vectors([], weights).shape == (0, characters.SIZE)
    assert np.isfinite(characters.fit_weights([])).all()
