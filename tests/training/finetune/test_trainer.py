"""Training follows its recipe, and adapts the batch to the memory."""

import dataclasses
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from emojob.schemas.errors import (
    Interrupted,
    OptionError,
)
from emojob.training.evaluation.predict import evaluate_classifier
from emojob.training.finetune import trainer
from emojob.training.finetune.base_model import load_base
from emojob.training.finetune.learner import sampled_rows
from emojob.training.finetune.recipe import read_train_recipe
from emojob.training.finetune.run import train_model
from emojob.training.finetune.training_data import read_training_data
from emojob.training.finetune.watch import Callbacks, Stop
from tests.training.finetune.model_folders import change


def test_training_ends_with_patience_and_keeps_the_best_epoch(options, train_recipe, monkeypatch):
    scores = iter([0.5, 0.9, 0.8, 0.7, 0.95])
    real, weights = trainer.evaluate_classifier, []

    def measured(classifier, encoded, labels, names, rows):
        found = real(classifier, encoded, labels, names, rows)
        if labels is run_parts[0]:
            weights.append({k: w.clone() for k, w in classifier.state_dict().items()})
            return dataclasses.replace(found, macro_f1=next(scores))
        return found

    run_parts = []
    monkeypatch.setattr(trainer, "evaluate_classifier", measured)
    real_train = trainer.train

    def train(classifier, inputs, callbacks):
        run_parts.append(inputs.validation.labels)
        return real_train(classifier, inputs, callbacks)

    monkeypatch.setattr("emojob.training.finetune.run.train", train)
    outcome = train_model(options, change(train_recipe, epochs=5, patience=2))
    assert "stopped early, after epoch 4 of 5: no epoch was better than epoch 2" in " ".join(outcome.notes)
    metrics = json.loads((options.out / "metrics.json").read_text())
    assert (metrics["epochs"], metrics["epoch_kept"]) == (4, 2)
    kept = load_file(options.out / "model.safetensors")
    assert torch.equal(kept["classifier.weight"], weights[1]["head.weight"])


def test_the_last_epoch_is_kept_if_the_recipe_says_so(options, train_recipe):
    last = dataclasses.replace(
        change(train_recipe, keep="last", patience=0, epochs=2),
        split=dataclasses.replace(train_recipe.split, validation=0.0),
    )
    train_model(options, last)
    metrics = json.loads((options.out / "metrics.json").read_text())
    assert (metrics["epochs"], metrics["epoch_kept"]) == (2, 2)
    assert metrics["calibration"]["fitted_on"] == "test"


def test_accumulated_gradients_equal_those_of_the_whole_batch(options, train_recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("emojob.training.finetune.learner.BODY_DROPOUT", 0.0)
    heads = []
    for accumulation in (1, 4):
        out = tmp_path / str(accumulation)
        recipe = change(train_recipe, epochs=1, dropout=0.0, accumulation=accumulation)
        train_model(dataclasses.replace(options, out=out), recipe)
        heads.append(load_file(out / "model.safetensors")["classifier.weight"])
    assert (heads[0] - heads[1]).abs().max().item() < 1e-3


def test_out_of_memory_halves_the_micro_batch(options, train_recipe, monkeypatch):
    seen, notes = [], []
    real = trainer.summed_loss

    def hungry(logits, labels, weights, smoothing):
        seen.append(len(labels))
        if len(labels) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(logits, labels, weights, smoothing)

    monkeypatch.setattr(trainer, "summed_loss", hungry)
    train_model(options, change(train_recipe, epochs=1), Callbacks(note=notes.append))
    assert seen[:2] == [8, 4]
    assert max(seen[1:]) == 4
    assert [note for note in notes if "out of memory" in note] == [
        "out of memory: training continues with 4 texts at a time and accumulates the gradients",
    ]
    curves = json.loads((options.out / "metrics.json").read_text())["curves"]
    assert curves["step"] == list(range(1, 24))  # 180 texts in steps of 8 are 23: two halves are one step


def test_a_resumed_run_keeps_the_smaller_micro_batch(options, train_recipe, monkeypatch):
    seen: list[int] = []
    real = trainer.summed_loss

    def hungry(logits, labels, weights, smoothing):
        seen.append(len(labels))
        if len(labels) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(logits, labels, weights, smoothing)

    monkeypatch.setattr(trainer, "summed_loss", hungry)
    stop = Stop()
    with pytest.raises(Interrupted):
        train_model(options, train_recipe, Callbacks(report=lambda p: p.step == 30 and stop.stop(), stop=stop))
    assert 8 in seen
    seen.clear()
    train_model(options, change(train_recipe))
    assert max(seen) == 4
    curves = json.loads((options.out / "metrics.json").read_text())["curves"]
    assert curves["epoch"] == [float(i) for i in range(1, 9)]


def test_losses_and_rates_are_logged_for_tensorboard(options, train_recipe):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train_model(options, change(train_recipe, epochs=2))
    [logs] = {file.parent for file in options.out.rglob("events.out.tfevents.*")}
    events = EventAccumulator(str(logs)).Reload()
    scalars = set(events.Tags()["scalars"]) - {"train/epoch"}
    by_step, by_epoch = ({tag for tag in scalars if tag.startswith(part)} for part in ("train/", "eval/"))
    assert scalars == by_step | by_epoch  # the test split is not measured during training
    assert by_step == {"train/loss", "train/grad_norm", "train/learning_rate"}
    assert by_epoch == {
        "eval/loss", "eval/accuracy", "eval/macro_f1", "eval/train_loss", "eval/train_accuracy"
    }  # fmt: skip
    for tag in by_step:
        assert [event.step for event in events.Scalars(tag)] == list(range(2, 47, 2))
    for tag in by_epoch:
        assert [event.step for event in events.Scalars(tag)] == [23, 46]
    curves = json.loads((options.out / "metrics.json").read_text())["curves"]
    assert [event.value for event in events.Scalars("eval/loss")] == pytest.approx(curves["validation_loss"])


def test_an_error_of_a_tracker_is_one_line_and_training_goes_on_without_it(options, train_recipe, monkeypatch):
    class UsageError(Exception):
        __module__ = "wandb.errors.errors"

    def refuse(*given):
        raise UsageError("api_key not configured\nmore")

    with monkeypatch.context() as patch:
        patch.setattr("emojob.training.finetune.run.train", refuse)
        with pytest.raises(
            OptionError, match=r"--report-to wandb failed: api_key not configured; solve .* none"
        ) as error:
            train_model(options, change(train_recipe, epochs=1))
    assert "\n" not in str(error.value)
    train_model(dataclasses.replace(options, report_to=("none",)), change(train_recipe, epochs=1))


def test_a_short_run_logs_about_20_values(options, train_recipe):
    train_model(options, change(train_recipe, epochs=3, log_every=200))
    made_with = json.loads((options.out / "recipe.json").read_text())
    curves = json.loads((options.out / "metrics.json").read_text())["curves"]
    assert made_with["recipe"]["training"]["log_every"] == 3
    assert curves["step"] == list(range(3, 70, 3))
    assert len(curves["loss"]) == len(curves["learning_rate"]) == len(curves["step"])


def fake_scores(monkeypatch, scores: list[tuple[float, float]]) -> list[str]:
    """Replace the (macro-F1, log-loss) on the validation split. Return a list of the measured splits."""
    real, measured, left = trainer.evaluate_classifier, [], iter(scores)
    real_train, parts = trainer.train, {}

    def evaluated(classifier, encoded, labels, names, rows):
        found = real(classifier, encoded, labels, names, rows)
        measured.append(next((name for name, part in parts.items() if part.encoded is encoded), "other"))
        if measured[-1] == "validation":
            macro_f1, log_loss = next(left)
            return dataclasses.replace(found, macro_f1=macro_f1, log_loss=log_loss)
        return found

    def train(classifier, inputs, callbacks):
        parts.update(train=inputs.train, validation=inputs.validation, test=inputs.test)
        return real_train(classifier, inputs, callbacks)

    monkeypatch.setattr(trainer, "evaluate_classifier", evaluated)
    monkeypatch.setattr("emojob.training.finetune.run.train", train)
    return measured


def test_log_loss_decides_between_epochs_with_the_same_macro_f1(options, train_recipe, monkeypatch):
    measured = fake_scores(monkeypatch, [(0.9, 0.5), (0.9, 0.3), (0.9, 0.4), (0.8, 0.1)])
    notes: list[str] = []
    train_model(options, change(train_recipe, epochs=4), Callbacks(note=notes.append))
    metrics = json.loads((options.out / "metrics.json").read_text())
    assert metrics["epoch_kept"] == 2
    assert (metrics["validation"]["macro_f1"], metrics["validation"]["log_loss"]) == (0.9, 0.3)
    assert metrics["curves"]["validation_loss"] == [0.5, 0.3, 0.4, 0.1]
    assert measured == ["train", "validation"] * 4  # the test split is measured once, at the end
    assert "validation macro-F1 0.900, validation log-loss 0.500" in next(n for n in notes if n.startswith("epoch 1"))
    assert "macro-F1 on the validation texts was 0.900" in (options.out / "README.md").read_text()


def test_only_a_recipe_that_says_so_measures_the_test_split_in_each_epoch(options, train_recipe):
    assert read_train_recipe("seed").training.test_each_epoch
    assert not read_train_recipe("default").training.test_each_epoch
    train_model(options, change(train_recipe, epochs=2, test_each_epoch=True))
    metrics = json.loads((options.out / "metrics.json").read_text())
    assert metrics["curves"]["test_accuracy"][-1] == metrics["test"]["accuracy"]


def test_the_train_accuracy_is_measured_without_dropout(options, train_recipe):
    plain = dataclasses.replace(train_recipe.split, test=0.0)
    recipe = dataclasses.replace(change(train_recipe, epochs=3, dropout=0.9, keep="last"), split=plain)
    train_model(options, recipe)
    curves = json.loads((options.out / "metrics.json").read_text())["curves"]
    data = read_training_data(options, recipe)
    base = load_base(str(options.out), data.annotated.names, 4)
    texts = data.annotated.take(data.parts.train)
    encoded = base.tokenizer.encode(texts.texts, 16)
    found = evaluate_classifier(base.classifier, encoded, texts.labels, data.annotated.names)
    assert curves["train_accuracy"][-1] == pytest.approx(found.accuracy)
    assert curves["train_loss"][-1] == pytest.approx(found.log_loss, rel=1e-3)


def test_many_train_texts_are_sampled():
    assert sampled_rows(500, 4) is None
    for texts, wanted in ((501, 500), (20_000, 1_000), (1_000_000, 2_000)):
        rows = sampled_rows(texts, 4)
        assert len(set(rows.tolist())) == wanted
        assert rows.max() < texts


def test_out_of_memory_with_one_text_is_an_option_error(options, train_recipe, monkeypatch):
    def never(*given):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(trainer, "summed_loss", never)
    with pytest.raises(OptionError, match="out of memory, even with one text at a time"):
        train_model(options, change(train_recipe, epochs=1))


def test_a_loss_that_is_not_finite_ends_training_with_advice(options, train_recipe, monkeypatch):
    monkeypatch.setattr(trainer, "summed_loss", lambda logits, *others: logits.sum() * float("nan"))
    with pytest.raises(OptionError, match=r"training diverged: the loss is nan after 0 steps; lower .*0\.005"):
        train_model(options, change(train_recipe, epochs=1))


@pytest.mark.slow
def test_several_processes_train_like_one_process(options, train_recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("emojob.training.finetune.learner.BODY_DROPOUT", 0.0)
    plain = change(train_recipe, epochs=2, dropout=0.0)
    train_model(options, plain)
    script = tmp_path / "run.py"
    script.write_text(
        "import pickle, sys, torch\n"
        "from emojob.training.finetune import run, learner\n"
        "torch.set_num_threads(1)\n"
        "learner.BODY_DROPOUT = 0.0\n"
        "run.train_model(*pickle.load(open(sys.argv[1], 'rb')))\n"
    )
    both = dataclasses.replace(options, out=tmp_path / "both")
    (tmp_path / "given").write_bytes(pickle.dumps((both, plain)))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, str(tmp_path / "given")], check=True, env=environment, capture_output=True)
    ours, theirs = (json.loads((f / "metrics.json").read_text())["curves"] for f in (both.out, options.out))
    assert ours["step"] == theirs["step"]
    # an odd last batch is filled with texts from the beginning, so the losses differ slightly
    assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=0.05)
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=0.1)
