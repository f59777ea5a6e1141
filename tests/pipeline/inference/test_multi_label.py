"""Models whose texts can carry several labels: sigmoid, thresholds and the labels that each text carries."""

import json

import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from emojob.pipeline.inference.engines.engine import sigmoid
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.models.model import load
from emojob.schemas.errors import ModelError, OptionError

LABELS = ("불평/불만", "고마움", "기쁨", "슬픔")
TEXTS = ["정말 고맙습니다", "왜 아직도 안 와요", "", "기쁘고 고마운데 조금 슬퍼요", None, "네"]


@pytest.fixture(scope="module")
def folder(make_model):
    return make_model(LABELS, 3, problem_type="multi_label_classification")


@pytest.fixture
def changed(folder, tmp_path):
    """changed(**keys): the model folder with other keys in config.json."""

    def copy(**keys):
        config = json.loads((folder / "config.json").read_text())
        for file in folder.iterdir():
            if not (tmp_path / file.name).exists():
                (tmp_path / file.name).symlink_to(file)
        (tmp_path / "config.json").unlink()
        (tmp_path / "config.json").write_text(json.dumps(config | keys))
        return str(tmp_path)

    return copy


def sigmoids(folder, texts):
    """Return the probabilities of stock transformers in fp32, one text at a time."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = load(str(folder)).tokenizer
    with torch.inference_mode():
        return np.stack(
            [torch.sigmoid(model(torch.tensor([tokenizer.encode([text]).tolist()[0]])).logits[0]) for text in texts]
        )


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_probabilities_in_fp32_are_the_sigmoids_of_stock_transformers(folder, engine):
    texts = [text for text in TEXTS if text]
    scored = Scorer.load(folder, engine=engine, precision="fp32").score(texts)
    assert np.abs(scored.probabilities - sigmoids(folder, texts)).max() < 1e-5


def test_a_text_carries_the_labels_at_their_thresholds_the_most_probable_first(changed):
    scorer = Scorer.load(changed(emojob_thresholds={"고마움": 0.9, "슬픔": 0.0}), engine="torch", precision="fp32")
    assert scorer.model.thresholds == (0.5, 0.9, 0.5, 0.0)
    scored = scorer.score(TEXTS)
    for row, text in enumerate(TEXTS):
        by_label = dict(zip(LABELS, scored.probabilities[row].tolist(), strict=True))
        limits = dict(zip(LABELS, scorer.model.thresholds, strict=True))
        expected = sorted((one for one in LABELS if by_label[one] >= limits[one]), key=lambda one: -by_label[one])
        assert scored.label_sets[row] == (expected if text else [])
        assert scored.labels[row] == (max(by_label, key=by_label.get) if text else "")
    assert scored.label_lists().is_null().to_pylist() == [False, False, True, False, True, False]


def test_no_label_at_its_threshold_is_an_empty_list(folder):
    scored = Scorer.load(folder, engine="torch", threshold=1.0).score(["네"])
    assert scored.label_lists().to_pylist() == [[]]
    assert scored.labels[0] in LABELS
    assert scored.label_lists().type == pa.list_(pa.string())


def test_a_model_with_one_label_a_text_has_it_as_its_set(tiny_model):
    scored = Scorer.load(tiny_model, engine="torch").score(["네", ""])
    assert scored.label_sets == [[scored.labels[0]], []]


def test_thresholds_change_the_fingerprint_of_an_archive_but_not_of_the_model(folder, changed):
    usual, other = load(str(folder)), load(changed(emojob_thresholds={"기쁨": 0.3}))
    assert usual.fingerprint == other.fingerprint
    assert usual.fingerprint_for(64) != other.fingerprint_for(64)
    assert load(str(folder), threshold=0.3).fingerprint_for(64) != usual.fingerprint_for(64)


def test_sigmoid_is_exact_for_large_logits():
    logits = np.array([[-1000, -20, 0, 20, 1000]], np.float32)
    assert sigmoid(logits, 1.0)[0].tolist() == pytest.approx([0, 2.0611537e-09, 0.5, 1, 1], rel=1e-6)
    assert sigmoid(logits, 2.0)[0, 1] == pytest.approx(1 / (1 + np.exp(10)))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"emojob_thresholds": [0.5]}, "has emojob_thresholds [0.5] in its config.json: write an object"),
        ({"emojob_thresholds": {"분노": 0.5}}, "emojob_thresholds for '분노' in its config.json, but its labels are"),
        ({"emojob_thresholds": {"기쁨": 1.5}}, "has the threshold 1.5 for '기쁨'"),
        ({"emojob_thresholds": {"기쁨": True}}, "has the threshold True for '기쁨'"),
        ({"problem_type": "regression"}, "has problem_type 'regression' in its config.json, which predicts a number"),
        ({"problem_type": "multi"}, "which predicts no labels: give a model with at least two labels"),
    ],
)
def test_a_wrong_configuration_is_refused_by_name(changed, keys, said):
    with pytest.raises(ModelError) as error:
        load(changed(**keys))
    assert said in str(error.value)


def test_one_output_is_refused_whatever_the_task(make_model):
    for task in ("multi_label_classification", "regression", None):
        with pytest.raises(ModelError, match="at least two labels"):
            load(str(make_model(("욕설",), 0, problem_type=task)))


def test_a_threshold_needs_a_model_with_several_labels_a_text(tiny_model):
    with pytest.raises(OptionError, match="gives each text exactly one label"):
        load(str(tiny_model), threshold=0.5)
    with pytest.raises(OptionError, match=r"--threshold 1\.5 is out of range"):
        Scorer.load(tiny_model, threshold=1.5)
