"""Measuring models on annotated files, alone and against another model."""

import csv
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from emojob.pipeline.inference.scorer import Scorer
from emojob.schemas.errors import DataError, ModelError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.schemas.options import ModelOptions
from emojob.training.data.annotated import pair_key
from emojob.training.data.corpus import CorpusOptions
from emojob.training.evaluation.evaluate import measure
from emojob.training.evaluation.metrics import evaluate
from emojob.training.evaluation.seen_texts import FILE, SeenTexts, seen_as_json
from emojob.training.evaluation.words import words_of

TEXTS = [
    f"{when} {what}"
    for when in ("오늘", "어제", "지금", "아까")
    for what in ("기뻐요", "화나요", "걱정돼요", "슬퍼요", "밥 먹었어요")
]
LABELS = [DEFAULT_LABELS[i % len(DEFAULT_LABELS)] for i in range(len(TEXTS))]


def write_csv(file: Path, rows: list[tuple[str, ...]], header: tuple[str, ...] = ("text", "label")) -> Path:
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows([header, *rows])
    return file


@pytest.fixture
def data(tmp_path) -> Path:
    return write_csv(tmp_path / "val.csv", list(zip(TEXTS, LABELS, strict=True)))


def on(model: Path, **more: object) -> ModelOptions:
    return ModelOptions(model=str(model), device="cpu", precision="fp32", **more)


def reordered(model: Path, folder: Path) -> Path:
    """The same model with its labels in the opposite order."""
    shutil.copytree(model, folder)
    weights = load_file(folder / "model.safetensors")
    for name in ("classifier.weight", "classifier.bias"):
        weights[name] = np.ascontiguousarray(weights[name][::-1])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    labels = [config["id2label"][str(i)] for i in range(len(DEFAULT_LABELS))][::-1]
    config |= {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_figures_equal_those_of_the_scorers_probabilities(data, tiny_model):
    found = measure([data], CorpusOptions(), None, on(tiny_model))
    scored = Scorer.load(options=on(tiny_model)).score(TEXTS)
    labels = np.array([DEFAULT_LABELS.index(label) for label in LABELS])
    assert found.model.evaluation == evaluate(scored.probabilities, labels, DEFAULT_LABELS)
    assert found.comparison is None
    assert found.in_words() == ""


def test_the_temperature_of_the_model_is_used(data, tiny_model, change_config):
    plain = measure([data], CorpusOptions(), None, on(tiny_model)).model
    hotter = measure([data], CorpusOptions(), None, on(change_config(emojob_temperature=9.0))).model
    assert hotter.temperature == 9
    assert hotter.evaluation.accuracy == plain.evaluation.accuracy
    assert hotter.evaluation.log_loss != plain.evaluation.log_loss


def test_another_order_of_labels_changes_nothing(data, tiny_model, tmp_path):
    other = reordered(tiny_model, tmp_path / "reordered")
    found = measure([data], CorpusOptions(), None, on(tiny_model), against=str(other))
    assert found.against is not None
    assert found.against.evaluation.confusion == found.model.evaluation.confusion
    assert (found.comparison.only_ours, found.comparison.only_other) == (0, 0)


def test_two_models_are_compared_on_the_same_texts(data, make_model, tiny_model):
    other = make_model(seed=5)
    found = measure([data], CorpusOptions(), None, on(tiny_model), against=str(other))
    alone = measure([data], CorpusOptions(), None, on(other))
    assert found.against.evaluation == alone.model.evaluation
    difference = found.model.evaluation.accuracy - alone.model.evaluation.accuracy
    assert found.comparison.accuracy.difference == pytest.approx(difference)
    assert str(other) in found.in_words()


def test_models_with_different_labels_are_refused_with_the_labels(data, make_model, tiny_model):
    other = make_model((*DEFAULT_LABELS[:5], "당황"))
    with pytest.raises(ModelError, match=r"only .* has 우울.*only .* has 당황"):
        measure([data], CorpusOptions(), None, on(tiny_model), against=str(other))


def test_a_model_with_several_labels_a_text_is_refused_by_name(data, make_model):
    model = make_model(problem_type="multi_label_classification")
    with pytest.raises(ModelError, match="gives a text several labels"):
        measure([data], CorpusOptions(), None, on(model))


def test_labels_that_the_model_lacks_are_refused_with_counts(tmp_path, tiny_model):
    rows = [("왜 그래요", "당황"), ("너무해요", "당황"), ("좋아요", "기쁨")]
    with pytest.raises(DataError, match=r"당황 \(2\)"):
        measure([write_csv(tmp_path / "d.csv", rows)], CorpusOptions(), None, on(tiny_model))


def test_a_published_corpus_without_its_label_map_is_refused_with_its_name(tmp_path, tiny_model):
    file = tmp_path / "kote.tsv"
    file.write_text("".join(f"{i}\t문장 {i} 이에요\t{i % 40},{(i + 3) % 40}\n" for i in range(60)), encoding="utf-8")
    with pytest.raises(DataError, match="--label-map kote"):
        measure([file], CorpusOptions(), None, on(tiny_model))
    assert measure([file], CorpusOptions(), "kote", on(tiny_model)).model.evaluation.texts > 0


def test_data_without_a_labelled_text_is_refused(tmp_path, tiny_model):
    with pytest.raises(DataError, match="no text with a usable label"):
        measure([write_csv(tmp_path / "d.csv", [("", "기쁨")])], CorpusOptions(), None, on(tiny_model))


def test_texts_without_any_token_are_left_out_and_counted(tmp_path, tiny_model):
    file = write_csv(tmp_path / "d.csv", [("\u0301", "기쁨"), ("좋아요", "기쁨")])  # an accent without a letter
    found = measure([file], CorpusOptions(), None, on(tiny_model))
    assert (found.model.evaluation.texts, found.wordless) == (1, 1)
    assert "1 left out (no token)" in found.data_line(words_of("en"))


def test_a_model_with_context_gets_the_previous_utterances(tmp_path, tiny_model, change_config):
    rows = [(str(i % 2), text, label) for i, (text, label) in enumerate(zip(TEXTS, LABELS, strict=True))]
    file = write_csv(tmp_path / "d.csv", rows, ("conversation_id", "text", "label"))
    model = change_config(emojob_context="previous")
    found = measure([file], CorpusOptions(), None, on(model), against=str(tiny_model))
    scorer = Scorer.load(options=on(model))
    scored = scorer.score(TEXTS, [None, None, *TEXTS[:-2]])
    labels = np.array([DEFAULT_LABELS.index(label) for label in LABELS])
    assert found.model.evaluation == evaluate(scored.probabilities, labels, DEFAULT_LABELS)
    alone = measure([file], CorpusOptions(), None, on(tiny_model))
    assert found.against.evaluation == alone.model.evaluation


def test_texts_scored_in_chunks_equal_those_scored_at_once(data, tiny_model, monkeypatch):
    whole = measure([data], CorpusOptions(), None, on(tiny_model)).model.evaluation
    monkeypatch.setattr("emojob.training.evaluation.predict._TEXTS_AT_A_TIME", 3)
    reports = []
    pieces = measure(
        [data], CorpusOptions(), None, on(tiny_model), on_scored=lambda done, texts: reports.append((done, texts))
    )
    assert pieces.model.evaluation == whole
    assert reports[-1] == (len(TEXTS), len(TEXTS))
    assert len(reports) == -(-len(TEXTS) // 3)


def test_a_model_that_was_trained_on_the_texts_has_a_warning(data, tiny_model, make_model, tmp_path):
    seen = shutil.copytree(tiny_model, tmp_path / "seen")
    keys = [pair_key(None, text) for text in TEXTS]
    (seen / FILE).write_text(json.dumps(seen_as_json([SeenTexts.of(keys, "none", "salt")])))
    found = measure([data], CorpusOptions(), None, on(tiny_model), against=str(seen))
    assert found.model.warnings == ()
    assert found.warnings == found.against.warnings
    [warning] = found.warnings
    assert f"{seen} was trained on all 20 of these 20 texts, so the figures are too good" in warning
    assert found.as_json()["against"]["warnings"] == [warning]


def test_a_model_without_a_record_of_texts_is_known_by_its_files(data, tiny_model, tmp_path):
    old = shutil.copytree(tiny_model, tmp_path / "old")
    made_with = {"data": [{"name": "val.csv", "sha256": hashlib.sha256(data.read_bytes()).hexdigest()}]}
    (old / "recipe.json").write_text(json.dumps(made_with))
    [warning] = measure([data], CorpusOptions(), None, on(old)).warnings
    assert warning.endswith("was trained on val.csv, so the figures may be too good: measure on other texts")
    (old / "recipe.json").write_text('{"data": [3, {"name": "a"}]}')
    assert measure([data], CorpusOptions(), None, on(old)).warnings == ()


def test_a_measurement_can_be_written_as_json(data, tiny_model, make_model):
    found = measure([data], CorpusOptions(), None, on(tiny_model), against=str(make_model(seed=5))).as_json()
    assert json.loads(json.dumps(found)) == found
    assert found["data"]["files"][0]["name"] == "val.csv"
    assert found["comparison"]["in_words"]
    assert found["against"]["fingerprint"] != found["model"]["fingerprint"]
