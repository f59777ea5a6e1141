"""A teacher gives its base's hidden states, learns the labels, and labels the other texts."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from emojob.pipeline.models.bert import Classifier
from emojob.schemas.errors import ModelError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.default_model.distillation import load_teacher, teacher_logits, with_soft_targets
from emojob.training.default_model.multitask import Examples
from emojob.training.evaluation.calibration import softmax
from emojob.training.evaluation.predict import predict_logits

SIX = len(DEFAULT_LABELS)


@pytest.fixture
def examples(tokenizer, utterances) -> Examples:
    """A third of the texts is KOTE's with labels, a third dialogue with labels, a third reviews without labels."""
    rows = np.arange(len(utterances))
    classes = np.full((len(rows), SIX), np.nan, np.float32)
    for row in np.flatnonzero(rows % 3 < 2):
        classes[row] = np.eye(SIX)[DEFAULT_LABELS.index(utterances[row][1])]
    return Examples(
        tokenizer.encode([text for text, _ in utterances]),
        {"kote": rows[::3], "goemotions": rows[:0], "dialogue": rows[1::3], "reviews": rows[2::3]},
        classes,
        {},
    )


def test_a_teacher_with_a_reduced_vocabulary_gives_the_same_hidden_states(recipe, teacher_base):
    texts = ["오늘 회의", "정말 행복해 오늘", "회의"]
    teacher, encoded = load_teacher(recipe.teacher, teacher_base, texts, SIX)
    assert teacher.encoder.words.weight.shape[0] == 8  # [PAD] [CLS] [SEP] ask 오늘 회의 정말 행복해
    stock = transformers.AutoModel.from_pretrained(teacher_base).eval()
    reader = transformers.AutoTokenizer.from_pretrained(teacher_base)
    for row, text in enumerate(texts):
        ids = reader(f"ask {text}", return_tensors="pt")
        with torch.no_grad():
            expected = stock(**ids).last_hidden_state.mean(1)
            logits = teacher.head(torch.tanh(expected))
        np.testing.assert_allclose(predict_logits(teacher, encoded)[row], logits[0], atol=1e-5)


def test_a_teacher_learns_the_labels_and_labels_the_reviews(examples, utterances, recipe, tmp_path):
    texts = [text for text, _ in utterances]
    truth = np.array([DEFAULT_LABELS.index(label) for _, label in utterances])
    recipe = dataclasses.replace(recipe, teacher=dataclasses.replace(recipe.teacher, reviews=40))
    lines: list[str] = []
    logits_of_teacher = teacher_logits(texts, examples, (texts[::7], truth[::7]), recipe, tmp_path, lines.append)
    labelled = np.isfinite(logits_of_teacher[:, 0])
    assert labelled[examples.corpora["kote"]].all()
    assert not labelled[examples.corpora["dialogue"]].any()
    reviews = examples.corpora["reviews"][labelled[examples.corpora["reviews"]]]
    assert len(reviews) == 40
    assert (
        logits_of_teacher[reviews].argmax(1) == truth[reviews]
    ).mean() > 0.75  # a random guess is right in a sixth of them
    trained = len(lines)
    (tmp_path / "opinion.npy").unlink()  # as if the run had stopped after the teacher's training
    again = teacher_logits(texts, examples, (texts[::7], truth[::7]), recipe, tmp_path, lines.append)
    np.testing.assert_array_equal(again, logits_of_teacher)
    assert not any("macro-F1" in line for line in lines[trained:])
    np.testing.assert_array_equal(
        teacher_logits([], examples, ([], truth), recipe, tmp_path, lines.append), logits_of_teacher
    )


def test_soft_targets_mix_labels_teacher_and_own_logits(examples, shape, recipe):
    torch.manual_seed(3)
    own = Classifier(shape, SIX).eval()
    logits_of_teacher = np.full((len(examples.encoded), SIX), np.nan, np.float32)
    logits_of_teacher[:30] = np.random.default_rng(0).normal(0, 2, (30, SIX))
    logits_of_teacher[examples.corpora["dialogue"]] = np.nan
    mixed_examples = with_soft_targets(
        own, examples, logits_of_teacher, dataclasses.replace(recipe.distillation, trust=0.75, share=0.4)
    )
    logits = predict_logits(own, examples.encoded)
    soft = softmax(0.75 * logits_of_teacher + 0.25 * logits)
    np.testing.assert_allclose(
        mixed_examples.classes[3], 0.6 * examples.classes[3] + 0.4 * soft[3], atol=2e-3
    )  # of KOTE
    np.testing.assert_array_equal(mixed_examples.classes[4], examples.classes[4])  # dialogue
    np.testing.assert_allclose(
        mixed_examples.classes[5], soft[5], atol=2e-3
    )  # a review; its own logits are in bfloat16
    np.testing.assert_array_equal(mixed_examples.corpora["reviews"], np.arange(2, 30, 3))


def test_a_tokenizer_of_another_model_is_refused(recipe, teacher_base, tmp_path):
    shutil.copytree(teacher_base, tmp_path, dirs_exist_ok=True)
    weights = load_file(tmp_path / "model.safetensors")
    weights["embeddings.word_embeddings.weight"] = weights["embeddings.word_embeddings.weight"][:7].clone()
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="but the weights have only 7 word vectors"):
        load_teacher(recipe.teacher, tmp_path, ["오늘 회의"], SIX)


def test_a_base_without_a_tokenizer_is_refused(recipe, teacher_base, tmp_path):
    for file in ("config.json", "model.safetensors"):
        shutil.copy(teacher_base / file, tmp_path)
    with pytest.raises(ModelError, match=r"does not know .* of the tokens in the texts"):
        load_teacher(recipe.teacher, tmp_path, ["오늘"], SIX)
