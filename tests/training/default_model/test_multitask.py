"""Multi-task fine-tuning: mixtures, learning rate, averaged weights, balanced classes."""

import dataclasses

import numpy as np
import pytest
import torch

from emojob.pipeline.models.bert import Classifier
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.default_model.multitask import (
    Examples,
    _parameter_groups,
    _rows_of_epoch,
    balanced,
    fine_tune,
    learning_rate_factor,
)
from emojob.training.evaluation.predict import predict_logits


@pytest.fixture
def examples(tokenizer, utterances) -> Examples:
    """Every second text has its class, the others have a rating."""
    rows = np.arange(len(utterances))
    classes = np.full((len(rows), 6), np.nan, np.float32)
    for row in rows[::2]:
        classes[row] = np.eye(6)[DEFAULT_LABELS.index(utterances[row][1])]
    rating = np.full((len(rows), 1), np.nan, np.float32)
    rating[1::2, 0] = [float(label == "기쁨") for _, label in utterances[1::2]]
    return Examples(
        tokenizer.encode([text for text, _ in utterances]),
        {"kote": rows[::2], "goemotions": rows[:0], "dialogue": rows[:0], "reviews": rows[1::2]},
        classes,
        {"rating": rating},
    )


def fresh(shape) -> Classifier:
    torch.manual_seed(5)
    return Classifier(shape, len(DEFAULT_LABELS))


def test_unlabelled_texts_of_a_small_vocabulary_are_predicted(examples, utterances, shape, recipe):
    truth = np.array([DEFAULT_LABELS.index(label) for _, label in utterances])

    def judge(model: Classifier) -> float:
        return float((predict_logits(model, examples.encoded).argmax(1) == truth)[1::2].mean())

    model = fine_tune(fresh(shape), examples, recipe.fine_tuning, judge, lambda line: None)
    assert judge(model) > 0.75  # a random guess is right in a sixth of them


def test_the_best_epoch_of_the_last_phase_is_kept(examples, shape, recipe):
    scores = iter([0.9, 0.1, 0.8, 0.3])
    seen: list[torch.Tensor] = []

    def judge(model: Classifier) -> float:
        seen.append(model.head.weight.detach().clone())
        return next(scores)

    two = tuple(dataclasses.replace(recipe.fine_tuning.phases[0], epochs=2) for _ in range(2))
    phased = dataclasses.replace(recipe.fine_tuning, phases=two)
    model = fine_tune(fresh(shape), examples, phased, judge, lambda line: None)
    assert torch.equal(model.head.weight, seen[2])
    assert not torch.equal(seen[2], seen[3])


@pytest.mark.parametrize(("average", "same"), [(0.0, True), (0.9, False)])
def test_the_judge_sees_the_average_of_the_steps(examples, shape, recipe, average, same):
    body = fresh(shape)
    seen = []

    def judge(model: Classifier) -> float:
        seen.append(torch.equal(model.head.weight, body.head.weight))
        return 0.5

    fine_tune(body, examples, dataclasses.replace(recipe.fine_tuning, average=average), judge, lambda line: None)
    assert set(seen) == {same}


def test_an_epoch_reads_each_corpus_as_often_as_its_share(examples, recipe):
    rows = _rows_of_epoch(examples, recipe.fine_tuning.phases[0], np.random.default_rng(0))
    times = np.bincount(rows, minlength=len(examples.encoded))
    assert (times[::2] == 2).all()  # share 2.0
    assert times[1::2].max() == 1
    assert times[1::2].mean() == pytest.approx(0.5)  # share 0.5


def test_the_learning_rate_warms_up_and_decays_to_0():
    shares = [learning_rate_factor(done, 0.2) for done in (0, 0.1, 0.2, 0.6, 1)]
    assert shares == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert learning_rate_factor(0.0, 0.0) == 1.0


def test_balance_1_gives_the_classes_of_a_corpus_the_same_weight(examples):
    classes = np.array([[1, 0]] * 9 + [[0, 1]] + [[np.nan, np.nan]] + [[0, 1]] * 3 + [[1, 0]], np.float32)
    corpora = {"kote": np.arange(11), "goemotions": np.arange(11, 15), "reviews": np.arange(0)}
    unequal = dataclasses.replace(examples, classes=classes, corpora=corpora)
    np.testing.assert_array_equal(balanced(unequal, 0), classes)
    even = balanced(unequal, 1)
    for rows in (slice(0, 10), slice(11, 15)):
        assert even[rows].sum(0) == pytest.approx(classes[rows].sum() / 2)
    assert np.isnan(even[10]).all()


def test_biases_and_layer_norms_are_not_decayed(shape):
    decayed, spared = _parameter_groups(fresh(shape), 0.01)
    assert decayed["weight_decay"] == 0.01
    assert spared["weight_decay"] == 0.0
    assert all(p.ndim == 2 for p in decayed["params"])
    assert sum(p.numel() for group in (decayed, spared) for p in group["params"]) == sum(
        p.numel() for p in fresh(shape).parameters()
    )
