"""A training run gives a model folder that emojob and stock transformers open; one seed gives the same weights."""

import dataclasses
import json
import os
import pickle
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from emojob.pipeline.inference.scorer import Scorer
from emojob.schemas.errors import (
    Interrupted,
)
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.schemas.options import ModelOptions
from emojob.training.data.corpus import CorpusOptions
from emojob.training.evaluation.evaluate import measure
from emojob.training.evaluation.seen_texts import read_seen_texts
from emojob.training.finetune.run import train_model
from emojob.training.finetune.training_data import read_training_data
from emojob.training.finetune.watch import Callbacks, Stop
from tests.training.finetune.model_folders import agreement, change, same_weights, stock_labels


def test_metrics_show_that_the_model_learned(trained):
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] > 0.95
    assert set(metrics["test"]["classes"]) == set(DEFAULT_LABELS)
    assert metrics["curves"]["epoch"] == [float(i) for i in range(1, 9)]
    assert metrics["curves"]["train_accuracy"][-1] > metrics["curves"]["train_accuracy"][0]
    assert metrics["calibration"]["fitted_on"] == "validation"


def test_the_scorer_loads_the_folder(trained):
    scored = Scorer.load(str(trained), ModelOptions(max_length=16)).score(["오늘 기뻐", "어제 눈물나"])
    assert scored.labels == ["기쁨", "슬픔"]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_transformers_gives_the_same_labels(trained, varied, precision):
    scored = Scorer.load(str(trained), ModelOptions(max_length=16, precision=precision)).score(varied)
    assert agreement(scored.labels, stock_labels(trained, varied)) >= (1.0 if precision == "fp32" else 0.995)


def test_recipe_data_and_versions_are_recorded(trained, annotated_csv):
    made_with = json.loads((trained / "recipe.json").read_text())
    assert made_with["recipe"]["training"]["learning_rate"] == 5e-3
    assert made_with["data"][0]["name"] == annotated_csv.name
    assert len(made_with["data"][0]["sha256"]) == 64
    assert made_with["parts"] == {"train": 180, "validation": 60, "test": 60, "dropped": 0}
    assert "torch" in made_with["versions"]
    card = (trained / "README.md").read_text()
    assert card.startswith("---\nlanguage: ko")
    assert made_with["data"][0]["sha256"] in card


def test_the_folder_records_its_texts_without_the_texts(trained, options, train_recipe, annotated_csv, tmp_path):
    data = read_training_data(options, train_recipe)
    [seen] = read_seen_texts(trained)
    assert (seen.texts, seen.context, seen.by) == (240, "none", "")
    assert seen.estimate(data.annotated.take(data.parts.train)) == 180
    assert seen.estimate(data.annotated.take(data.parts.validation)) == 60
    assert seen.estimate(data.annotated.take(data.parts.test)) == 0
    copied = tmp_path / "copy.csv"  # other bytes than the file of the run
    copied.write_text("user,sentiment\n" + "\n".join(f"{t} ,기쁨" for t in data.annotated.texts), encoding="utf-8")
    model = ModelOptions(model=str(trained), precision="fp32", max_length=16)
    [warning] = measure([copied], CorpusOptions(text_column="user"), None, model).warnings
    assert re.search(r"model was trained on about 2[34]\d of these 300 texts", warning)


def test_test_texts_that_the_base_was_trained_on_are_reported(trained, options, train_recipe):
    notes: list[str] = []
    other_split = dataclasses.replace(
        change(train_recipe, epochs=1), split=dataclasses.replace(train_recipe.split, seed=9)
    )
    train_model(dataclasses.replace(options, base=str(trained)), other_split, Callbacks(note=notes.append))
    assert any(f"{trained}, the base of this model, was trained on about" in note for note in notes)
    assert [one.by for one in read_seen_texts(options.out)] == ["", str(trained)]
    assert "**Warning:** " in (options.out / "README.md").read_text()
    assert "the base of this model, was trained on about" in (options.out / "training.html").read_text()


def test_pictures_and_page_are_drawn(trained):
    assert (trained / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert "불안" in (trained / "training.html").read_text()


def test_checkpoints_are_removed(trained):
    assert sorted(one.name for one in (trained / "_training").iterdir() if one.name != "runs") == [
        "lock",
        "made_with.json",
    ]


def test_one_seed_gives_the_same_weights(trained, options, train_recipe):
    train_model(options, train_recipe)
    assert same_weights(trained, options.out)


@pytest.mark.parametrize("step", [3, 23, 26])  # in the first epoch, at its end, in the second
def test_a_stopped_run_resumes_to_the_same_weights(trained, options, train_recipe, step):
    stop = Stop()

    def report(progress):
        if progress.step == step:
            stop.stop()

    with pytest.raises(Interrupted):
        train_model(options, train_recipe, Callbacks(report=report, stop=stop))
    assert not (options.out / "config.json").exists()
    train_model(options, train_recipe)
    assert same_weights(trained, options.out)
    assert (options.out / "metrics.json").read_text() == (trained / "metrics.json").read_text()


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_weights(trained, options, train_recipe, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(
        "import pickle, sys, torch\n"
        "from emojob.training.finetune import trainer, run\n"
        "torch.set_num_threads(1)\n"
        "trainer.CHECKPOINT_SECONDS = 0.0\n"
        "options, recipe = pickle.load(open(sys.argv[1], 'rb'))\n"
        "run.train_model(options, recipe, trainer.Callbacks(report=lambda p: print(p.step, flush=True)))\n"
    )
    given = tmp_path / "given"
    given.write_bytes(pickle.dumps((options, train_recipe)))
    command = [sys.executable, str(script), str(given)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    for until in (5, 40):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if int(line) >= until:
                    process.send_signal(signal.SIGKILL)
                    break
        assert process.returncode == -signal.SIGKILL
    train_model(options, train_recipe)
    assert same_weights(trained, options.out)
    assert (options.out / "metrics.json").read_text() == (trained / "metrics.json").read_text()


def test_pairs_with_the_previous_utterance_are_learned(options, train_recipe, tmp_path, varied):
    # all answers are alike: only the previous utterance decides the label
    lines = ["conversation_id,text,label"]
    for i in range(120):
        before, label = ("오늘 기뻐", "기쁨") if i % 2 else ("오늘 슬퍼", "슬픔")
        lines += [f"c{i},{before},", f"c{i},그냥 {'또 ' * (i // 20)}나는,{label}"]
    file = tmp_path / "pairs.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    changed = dataclasses.replace(options, data=(file,), corpus=CorpusOptions(context="previous"))
    train_model(changed, change(train_recipe, epochs=20))
    assert json.loads((options.out / "config.json").read_text())["emojob_context"] == "previous"
    scorer = Scorer.load(str(options.out), ModelOptions(max_length=16, precision="fp32"))
    assert scorer.score(["그냥 나는", "그냥 나는"], previous=["오늘 기뻐", "오늘 슬퍼"]).labels == ["기쁨", "슬픔"]
    # if a pair loses an odd number of tokens, transformers takes the odd token from the other text
    short = [text for text in varied if len(text) < 10]
    before = short[1:] + short[:1]
    ours = scorer.score(short, previous=before).labels
    assert agreement(ours, stock_labels(options.out, short, before)) == 1.0
