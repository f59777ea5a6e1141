"""Metrics of models whose texts can carry several labels: the figures of scikit-learn, and the best thresholds."""

import itertools

import numpy as np
import pytest
from sklearn import metrics

from emojob.training.evaluation.label_set_metrics import average_precision, best_thresholds, evaluate_label_sets

NAMES = ("기쁨", "슬픔", "분노", "놀람")


@pytest.fixture(scope="module")
def predictions():
    """600 texts with four labels. Few texts carry the last one. Many probabilities are equal."""
    chance = np.random.default_rng(2)
    truth = chance.random((600, 4)) < [0.5, 0.3, 0.1, 0.01]
    probabilities = np.clip(truth * 0.3 + chance.random((600, 4)) * 0.7, 0, 1).round(2).astype(np.float32)
    return probabilities, truth


def test_the_figures_are_those_of_scikit_learn(predictions):
    probabilities, truth = predictions
    thresholds = (0.5, 0.4, 0.62, 0.7)
    predicted = probabilities >= np.array(thresholds, np.float32)
    found = evaluate_label_sets(probabilities, truth, thresholds, NAMES)
    assert found.macro_f1 == pytest.approx(metrics.f1_score(truth, predicted, average="macro"))
    assert found.micro_f1 == pytest.approx(metrics.f1_score(truth, predicted, average="micro"))
    assert found.subset_accuracy == pytest.approx(metrics.accuracy_score(truth, predicted))
    assert found.hamming_loss == pytest.approx(metrics.hamming_loss(truth, predicted))
    expected = metrics.average_precision_score(truth, probabilities, average="macro")
    assert found.mean_average_precision == pytest.approx(expected)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(truth, predicted)
    for label, figures in enumerate(found.labels.values()):
        assert (figures.precision, figures.recall, figures.f1) == pytest.approx(
            (precision[label], recall[label], f1[label])
        )
        assert (figures.support, figures.threshold) == (support[label], thresholds[label])
        assert figures.average_precision == pytest.approx(
            metrics.average_precision_score(truth[:, label], probabilities[:, label])
        )
    assert list(found.as_json()["labels"]) == list(NAMES)


def test_a_label_without_texts_does_not_count_for_the_means(predictions):
    probabilities, truth = predictions
    truth = truth & [True, True, True, False]
    found = evaluate_label_sets(probabilities, truth, [0.5] * 4, NAMES)
    three = evaluate_label_sets(probabilities[:, :3], truth[:, :3], [0.5] * 3, NAMES[:3])
    assert found.labels["놀람"].average_precision is None
    assert (found.macro_f1, found.mean_average_precision) == (three.macro_f1, three.mean_average_precision)
    with pytest.raises(ValueError, match="no text carries a label"):
        evaluate_label_sets(probabilities, np.zeros_like(truth), [0.5] * 4, NAMES)


def test_a_calibrated_label_has_a_small_calibration_error():
    chance = np.random.default_rng(4)
    probabilities = chance.random((20_000, 1), np.float32)
    truth = chance.random((20_000, 1)) < probabilities
    found = evaluate_label_sets(probabilities, truth, [0.5], ["기쁨"])
    assert found.labels["기쁨"].calibration_error < 0.02
    squeezed = evaluate_label_sets(probabilities**3, truth, [0.5], ["기쁨"])
    assert squeezed.labels["기쁨"].calibration_error > 0.1


def test_no_other_threshold_has_a_higher_f1(predictions):
    probabilities, truth = predictions
    found = best_thresholds(probabilities, truth)
    for label, threshold in enumerate(found):
        best = max(
            metrics.f1_score(truth[:, label], probabilities[:, label] >= np.float32(step))
            for step in np.arange(0, 1.005, 0.005)
        )
        at = metrics.f1_score(truth[:, label], probabilities[:, label] >= np.float32(threshold))
        assert at == pytest.approx(best)


def test_of_equally_good_thresholds_the_nearest_to_one_half_is_chosen():
    column = np.array([[0.9], [0.8], [0.2], [0.1]], np.float32)
    assert best_thresholds(column, np.array([[True], [True], [False], [False]])) == (0.5,)
    assert best_thresholds(column, np.array([[True], [True], [True], [False]])) == (pytest.approx(0.15),)
    assert best_thresholds(column, np.zeros((4, 1), bool)) == (0.5,)


def test_average_precision_of_equal_probabilities_does_not_depend_on_the_order():
    probabilities = np.array([0.7, 0.7, 0.7, 0.2], np.float32)
    for order in itertools.permutations([True, False, False]):
        assert average_precision(probabilities, np.array([*order, False])) == pytest.approx(1 / 3)
