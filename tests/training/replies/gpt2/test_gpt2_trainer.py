"""The optimizer, early stopping and the settings of GPT-2 training."""

import dataclasses
import math

import pytest
import torch
from accelerate import Accelerator

from emojob.schemas.errors import OptionError
from emojob.training.finetune.watch import Callbacks
from emojob.training.replies.gpt2 import trainer
from emojob.training.replies.gpt2.packing import PackedLearner, encode_examples
from emojob.training.replies.gpt2.trainer import Gpt2Recipe, gpt2_inputs, gpt2_parameter_groups, train
from tests.pipeline.replies.writing.tiny_gpt2 import tiny_gpt2
from tests.training.replies.pairs_of_tests import RECIPE, TRAIN, VALIDATION


def trained(recipe, work, validation=VALIDATION, notes=None):
    """Train a small model, and return (state, learner)."""
    gpt2 = tiny_gpt2(scale=0.05)
    learner = PackedLearner(gpt2.model)
    parts = [encode_examples(part, gpt2.sequences, recipe.max_length) for part in (TRAIN, validation)]
    callbacks = Callbacks(note=(notes if notes is not None else []).append)
    return train(learner, gpt2_inputs(*parts, recipe, work, "cpu", ["none"]), callbacks), learner


def test_biases_and_layer_norms_have_no_weight_decay():
    learner = PackedLearner(tiny_gpt2().model)
    decayed, free = gpt2_parameter_groups(learner, Gpt2Recipe().for_trainer())
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.01, 0.0)
    assert all(weight.ndim == 2 for weight in decayed["params"])
    assert all(weight.ndim == 1 for weight in free["params"])
    counted = sum(len(group["params"]) for group in (decayed, free))
    assert counted == len(list(learner.parameters()))


def test_training_stops_after_patience_and_keeps_the_epoch_with_the_lowest_perplexity(tmp_path, monkeypatch):
    left, kept = iter([3.0, 2.0, 2.5, 2.6, 1.0]), []
    real = trainer.measure_loss

    def measured(learner, examples, row_tokens, chosen=None):
        found = real(learner, examples, row_tokens, chosen)
        if len(examples) == len(VALIDATION):
            kept.append({name: weight.clone() for name, weight in learner.state_dict().items()})
            return dataclasses.replace(found, loss=next(left))
        return found

    monkeypatch.setattr(trainer, "measure_loss", measured)
    notes: list[str] = []
    state, learner = trained(dataclasses.replace(RECIPE, epochs=5, patience=2), tmp_path, notes=notes)
    assert (state.best_epoch, len(state.curves.epoch)) == (2, 4)
    assert all(torch.equal(weight, kept[1][name]) for name, weight in learner.state_dict().items())
    assert [note for note in notes if note.startswith("epoch 2: ") and "validation perplexity 7.39" in note]


def test_the_loss_falls_and_the_curves_have_each_epoch(tmp_path):
    state, _ = trained(RECIPE, tmp_path)
    curves = state.curves
    assert curves.epoch == [1.0, 2.0, 3.0]
    assert curves.validation_loss[-1] < 0.95 * curves.validation_loss[0]
    assert len(curves.train_loss) == len(curves.train_accuracy) == len(curves.validation_accuracy) == 3
    # without validation pairs, all epochs are trained and the last one is kept
    state, _ = trained(dataclasses.replace(RECIPE, epochs=1, patience=1), tmp_path / "other", validation=[])
    assert (state.best_epoch, state.curves.epoch, state.curves.validation_loss) == (0, [1.0], [])


def test_half_batches_give_the_same_step(tmp_path, monkeypatch):
    found = []
    for most in (100, 3):
        real = trainer.F.cross_entropy

        def hungry(logits, labels, reduction, most=most, real=real):
            if logits.requires_grad and int((labels == 1).sum()) > most:  # 1: the id of `</s>`
                raise torch.OutOfMemoryError("CUDA out of memory")
            return real(logits, labels, reduction=reduction)

        gpt2 = tiny_gpt2(scale=0.05, resid_pdrop=0.0, attn_pdrop=0.0, embd_pdrop=0.0)
        learner, notes = PackedLearner(gpt2.model), []
        parts = [encode_examples(part, gpt2.sequences, 64) for part in (TRAIN, VALIDATION)]
        recipe = dataclasses.replace(RECIPE, epochs=1)
        with monkeypatch.context() as patch:
            patch.setattr(trainer.F, "cross_entropy", hungry)
            inputs = gpt2_inputs(*parts, recipe, tmp_path / str(most), "cpu", ["none"])
            train(learner, inputs, Callbacks(note=notes.append))
        assert any("out of memory" in note for note in notes) == (most == 3)
        found.append(torch.cat([weight.flatten() for weight in learner.state_dict().values()]))
    assert (found[0] - found[1]).abs().max().item() < 1e-4


def test_settings_are_checked():
    for wrong in ({"epochs": 0}, {"learning_rate": -1.0}, {"row_tokens": 32}, {"max_length": 2}):
        with pytest.raises(OptionError, match=next(iter(wrong))):
            Gpt2Recipe(**wrong)
    usual = Gpt2Recipe()
    assert (usual.learning_rate, usual.warmup, usual.clip, usual.weight_decay) == (5e-5, 0.1, 1.0, 0.01)
    assert usual.for_trainer().schedule == "cosine"
    fitted = usual.fitted(positions=64, pairs=100)
    assert (fitted.max_length, fitted.row_tokens, fitted.log_every) == (64, 64, 2)


def test_what_runs_is_adamw_with_warm_up_cosine_and_clipping(tmp_path, monkeypatch):
    clipped, rates = [], []
    clip = Accelerator.clip_grad_norm_

    def seen(self, parameters, most, *more):
        clipped.append(most)
        return clip(self, parameters, most, *more)

    class Seen(torch.optim.AdamW):
        def __init__(self, groups):
            rates.extend(group["lr"] for group in groups)
            super().__init__(groups)

    monkeypatch.setattr(Accelerator, "clip_grad_norm_", seen)
    monkeypatch.setattr(torch.optim, "AdamW", Seen)
    usual = dataclasses.replace(Gpt2Recipe(), epochs=4, batch=6, max_length=64, log_every=1, patience=0)
    state, _ = trained(usual, tmp_path)
    steps = 4 * len(TRAIN) // 6
    assert (rates, clipped) == ([5e-5, 5e-5], [1.0] * steps)
    warm_up = steps // 10
    expected = [
        5e-5 * (n / warm_up if n < warm_up else (1 + math.cos(math.pi * (n - warm_up) / (steps - warm_up))) / 2)
        for n in range(1, steps + 1)
    ]
    assert state.curves.learning_rate == pytest.approx(expected, abs=1e-12)
