"""Masked-language pre-training: masked tokens, learning rate, resume."""

import dataclasses

import numpy as np
import pytest
import torch

from emojob.pipeline.models.bert import BertShape
from emojob.training.default_model import pretraining
from emojob.training.default_model.pretraining import (
    first_word_vectors,
    initial,
    learning_rate_at,
    mask_tokens,
    pretrain,
)
from emojob.training.default_model.recipe import read_recipe

RECIPE = read_recipe().pretraining


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_mask_tokens_masks_the_fraction_of_the_recipe_but_not_cls_and_sep():
    ids = torch.randint(5, 900, (400, 52), generator=generator())
    hidden, at = mask_tokens(ids, dataclasses.replace(RECIPE, masked=0.2), 4, 900, generator())
    assert len(at) / (400 * 50) == pytest.approx(0.2, abs=0.01)
    assert not set((at % 52).tolist()) & {0, 51}
    assert (hidden[:, [0, 51]] == ids[:, [0, 51]]).all()
    masked = (hidden.reshape(-1)[at] == 4).float().mean().item()
    kept = (hidden.reshape(-1)[at] == ids.reshape(-1)[at]).float().mean().item()
    assert masked == pytest.approx(0.8, abs=0.03)
    assert kept == pytest.approx(0.1, abs=0.03)
    others = torch.ones(ids.numel(), dtype=torch.bool)
    others[at] = False
    assert (hidden.reshape(-1)[others] == ids.reshape(-1)[others]).all()


def test_each_cycle_warms_up_stays_and_decays_to_0():
    recipe = dataclasses.replace(RECIPE, learning_rate=1.0, cycles=(1000, 2000), warmup=100, decay=0.25)
    first = [learning_rate_at(tokens, recipe) for tokens in (0, 50, 100, 500, 750, 875, 999)]
    assert first == pytest.approx([0, 0.5, 1, 1, 1, 0.5, 0.004])
    second = [learning_rate_at(tokens, recipe) for tokens in (1000, 1050, 1100, 2500, 2750, 3000, 4000)]
    assert second == pytest.approx([0, 0.5, 1, 1, 0.5, 0, 0])


def test_initial_word_vectors_are_finite_with_the_spread_of_bert(tokenizer, utterances):
    encoded = tokenizer.encode([text for text, _ in utterances])
    vectors = first_word_vectors(encoded, tokenizer.vocab_size, 8, window=2)
    assert vectors.shape == (tokenizer.vocab_size, 8)
    assert torch.isfinite(vectors).all()
    assert vectors.std().item() == pytest.approx(0.04, rel=0.01)


def run(tokenizer, utterances, shape, checkpoint, **keys):
    texts = [text for text, _ in utterances]
    ratings = np.where(np.arange(len(texts)) % 2, np.float32(np.nan), np.float32(0.5)).astype(np.float32)
    recipe = dataclasses.replace(RECIPE, cycles=(4000,), warmup=0, batch_tokens=256)
    lines: list[str] = []
    model = pretrain(
        tokenizer.encode(texts), ratings, shape, tokenizer.mask_id, recipe, checkpoint, lines.append, **keys
    )
    return model.state_dict(), lines


def test_a_resumed_run_gives_the_same_model(tokenizer, utterances, shape, tmp_path, monkeypatch):
    whole, _ = run(tokenizer, utterances, shape, tmp_path / "whole.pt")

    calls = 0

    def stop_in_the_ninth_step(*arguments):
        nonlocal calls
        calls += 1
        if calls == 9:
            raise KeyboardInterrupt
        return mask_tokens(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(pretraining, "mask_tokens", stop_in_the_ninth_step)
        with pytest.raises(KeyboardInterrupt):
            run(tokenizer, utterances, shape, tmp_path / "cut.pt", seconds_between_checkpoints=0)
    resumed, lines = run(tokenizer, utterances, shape, tmp_path / "cut.pt")

    assert lines[0].startswith("resuming after 8 steps")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_texts_too_short_to_mask_give_finite_weights(tokenizer, shape, tmp_path):
    recipe = dataclasses.replace(RECIPE, cycles=(60,), warmup=0, batch_tokens=2)
    empty = tokenizer.encode([""] * 40)
    ratings = np.full(40, 1.0, np.float32)
    lines: list[str] = []
    model = pretrain(empty, ratings, shape, tokenizer.mask_id, recipe, tmp_path / "empty.pt", lines.append)
    assert all(torch.isfinite(weight).all() for weight in model.state_dict().values())


def test_training_lowers_the_loss_of_masked_tokens(tokenizer, utterances, shape, tmp_path):
    texts = [text for text, _ in utterances]
    encoded = tokenizer.encode(texts)
    recipe = dataclasses.replace(RECIPE, cycles=(15_000,), warmup=0, batch_tokens=512, learning_rate=1e-2)
    ratings = np.full(len(texts), np.nan, np.float32)
    trained = pretrain(encoded, ratings, shape, tokenizer.mask_id, recipe, tmp_path / "t.pt", lambda line: None)
    fresh = initial(shape, torch.zeros(shape.vocab_size, shape.hidden_size), seed=1)
    assert loss(trained, tokenizer) < 0.7 * loss(fresh, tokenizer)


def loss(model: pretraining.Pretrainer, tokenizer) -> float:
    """The loss of a masked word."""
    ids = torch.tensor(tokenizer.encode(["오늘 회의"]).tolist())
    seen = ids.clone()
    seen[0, 1] = tokenizer.mask_id
    with torch.inference_mode():
        logits, _ = model(seen, torch.tensor([1]))
    return torch.nn.functional.cross_entropy(logits, ids[0, [1]]).item()


def test_the_model_has_the_given_sizes():
    shape = BertShape(50, hidden_size=16, layers=3, heads=2, intermediate_size=24, max_positions=9)
    model = initial(shape, torch.zeros(50, 16), seed=1)
    assert model.body.encoder.words.weight.shape == (50, 16)
    assert len(model.body.encoder.layers) == 3
