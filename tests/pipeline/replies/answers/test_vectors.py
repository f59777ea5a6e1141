"""Vectors of texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from emojob.pipeline.models import model
from emojob.pipeline.replies.answers.builtin import read_builtin_book
from emojob.pipeline.replies.answers.vectors import TextEncoder
from emojob.schemas.errors import ModelError

TEXTS = [
    "택배가 아직도 안 왔어요",
    "배송이 너무 늦네요",
    "오늘 기분이 좋아",
    "잠이 안 와서 힘들어요",
    "환불은 언제 되나요?",
]


@pytest.fixture(scope="module")
def loaded() -> model.Model:
    return model.load(threads=1)


@pytest.fixture(scope="module")
def encoder(loaded: model.Model) -> TextEncoder:
    book = read_builtin_book()
    return TextEncoder.fit(loaded, book.questions[:80], book.question_groups[:80])[0]


def test_texts_with_the_same_meaning_are_nearer_than_others(encoder: TextEncoder) -> None:
    late, slow, glad, *_ = encoder.encode(TEXTS)
    assert late @ slow > late @ glad + 0.1


def test_vectors_have_the_length_1_and_a_text_without_tokens_is_zero(encoder: TextEncoder) -> None:
    vectors = encoder.encode([*TEXTS, "", "  ", None])
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1] * len(TEXTS) + [0] * 3, abs=1e-5)
    assert encoder.encode([]).shape == (0, encoder.size)


def test_the_vector_of_a_text_does_not_depend_on_the_other_texts(encoder: TextEncoder) -> None:
    texts = [f"{text} {'네 ' * (i % 40)}" for i, text in enumerate(TEXTS * 20)]
    together = encoder.encode(texts)
    for i in (0, 7, 44, 99):
        assert encoder.encode([texts[i]])[0].tolist() == together[i].tolist()


def test_a_saved_encoder_gives_the_same_vectors(encoder: TextEncoder, loaded: model.Model, tmp_path: Path) -> None:
    encoder.save(tmp_path)
    assert np.array_equal(TextEncoder.load(tmp_path, loaded).encode(TEXTS), encoder.encode(TEXTS))


def test_an_encoder_of_another_model_is_refused(encoder: TextEncoder, loaded: model.Model, tmp_path: Path) -> None:
    encoder.save(tmp_path)
    other = SimpleNamespace(
        classifier=loaded.classifier,
        tokenizer=loaded.tokenizer,
        shape=SimpleNamespace(vocab_size=99, layers=2, hidden_size=8),
    )
    with pytest.raises(ModelError, match=r"vectors\.safetensors was made with another model.*train-replies"):
        TextEncoder.load(tmp_path, other)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"no numbers")])
def test_a_missing_or_damaged_file_is_refused(
    encoder: TextEncoder, loaded: model.Model, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    encoder.save(tmp_path)
    damage(tmp_path / "vectors.safetensors")
    with pytest.raises(ModelError, match="cannot be read"):
        TextEncoder.load(tmp_path, loaded)


@pytest.mark.parametrize("texts", [[], ["안녕하세요"], ["안녕하세요", "안녕하세요"], TEXTS, ["", ""]])
def test_a_few_texts_suffice_to_fit(loaded: model.Model, texts: list[str]) -> None:
    encoder, vectors = TextEncoder.fit(loaded, texts)
    assert vectors.tolist() == encoder.encode(texts).tolist()
    assert np.isfinite(encoder.encode(TEXTS)).all()
