"""Packed rows have the loss and the gradients of single examples, and no padding."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from emojob.training.replies.gpt2.packing import (
    PackedLearner,
    encode_examples,
    measure_loss,
    pack_rows,
    packed_batch,
)
from tests.pipeline.replies.writing.tiny_gpt2 import tiny_gpt2
from tests.training.replies.pairs_of_tests import TRIPLES


@pytest.fixture(scope="module")
def gpt2():
    return tiny_gpt2(scale=0.2)


def losses_one_by_one(model, examples):
    """The summed loss of stock GPT2LMHeadModel, one example at a time, with -100 as the label of the prompt."""
    total = torch.zeros(())
    for number in range(len(examples)):
        ids = torch.from_numpy(examples.ids[examples.offsets[number] : examples.offsets[number + 1]]).long()[None]
        labels = ids.clone()
        labels[:, : examples.prompts[number]] = -100
        targets = int((labels != -100).sum())
        total = total + model(input_ids=ids, labels=labels).loss * targets
    return total


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_loss_and_gradients_are_those_of_single_examples(gpt2, attention):
    gpt2.model.set_attn_implementation(attention)
    examples = encode_examples(TRIPLES[:9], gpt2.sequences, 64)
    batch = packed_batch(examples, 128, range(9))
    assert 1 < len(batch["rows"]) < 9

    def gradients():
        found = {name: weight.grad.clone() for name, weight in gpt2.model.named_parameters()}
        gpt2.model.zero_grad()
        return found

    packed = F.cross_entropy(PackedLearner(gpt2.model)(batch["rows"]), batch["labels"], reduction="sum")
    packed.backward()
    ours = gradients()
    single = losses_one_by_one(gpt2.model, examples)
    single.backward()
    theirs = gradients()
    assert packed.item() == pytest.approx(single.item(), rel=1e-5)
    for name, gradient in ours.items():
        assert torch.allclose(gradient, theirs[name], rtol=1e-3, atol=1e-4), name


def test_an_example_does_not_see_its_neighbours_in_the_row(gpt2):
    examples = encode_examples([TRIPLES[0], TRIPLES[1]], gpt2.sequences, 64)
    other = encode_examples([TRIPLES[2], TRIPLES[1]], gpt2.sequences, 64)
    learner = PackedLearner(gpt2.model)
    answers = []
    for one in (examples, other):
        batch = packed_batch(one, 128, [0, 1])
        assert len(batch["rows"]) == 1
        answer = one.ids[one.offsets[1] + one.prompts[1] :].tolist()
        starts = [i for i in range(len(batch["labels"])) if batch["labels"][i : i + len(answer)].tolist() == answer]
        answers.append(learner(batch["rows"])[starts[0] : starts[0] + len(answer)])
    assert torch.allclose(answers[0], answers[1], atol=1e-5)


def test_the_loss_is_on_the_answer_and_its_end_alone(gpt2):
    question, emotion, answer = TRIPLES[0]
    examples = encode_examples([(question, emotion, answer)], gpt2.sequences, 64)
    batch = packed_batch(examples, 128, [0])
    assert batch["labels"][-1] == gpt2.sequences.end
    assert gpt2.sequences.decode(batch["labels"][:-1].tolist()) == answer
    [(ids, _, _)] = batch["rows"]
    names = [gpt2.sequences.tokenizer.id_to_token(one) for one in ids[0].tolist()]
    places = [names.index(name) for name in ("<usr>", "<unused1>", "<sys>", "</s>")]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0, len(names) - 1)


@given(st.lists(st.integers(1, 60), max_size=40), st.integers(60, 200))
def test_each_example_is_in_one_row_that_is_not_too_long(lengths, row_tokens):
    rows = pack_rows(lengths, row_tokens)
    assert sorted(one for row in rows for one in row) == list(range(len(lengths)))
    assert all(sum(lengths[one] for one in row) <= row_tokens for row in rows)
    full = sum(lengths) / row_tokens
    assert len(rows) <= 1.7 * full + 1  # first-fit decreasing needs few rows


def test_rows_have_no_padding(gpt2):
    examples = encode_examples(TRIPLES, gpt2.sequences, 64)
    rows = packed_batch(examples, 128, range(len(TRIPLES)))["rows"]
    assert sum(ids.shape[1] for ids, _, _ in rows) == len(examples.ids)
    assert gpt2.sequences.pad not in np.concatenate([ids[0] for ids, _, _ in rows])


def test_perplexity_is_that_of_single_examples_and_leaves_the_training_mode(gpt2):
    examples = encode_examples(TRIPLES, gpt2.sequences, 64)
    learner = PackedLearner(gpt2.model).train()
    found = measure_loss(learner, examples, 128)
    assert learner.training
    gpt2.model.eval()
    measure_loss(PackedLearner(gpt2.model), examples, 128)
    assert not gpt2.model.training
    with torch.no_grad():
        expected = losses_one_by_one(gpt2.model, examples).item() / found.tokens
    assert found.tokens == int((examples.lengths - examples.prompts).sum())
    assert found.perplexity == pytest.approx(math.exp(expected), rel=1e-4)
    chosen = np.array([1, 4])
    few = measure_loss(learner, examples, 128, chosen)
    assert few.tokens == int((examples.lengths - examples.prompts)[chosen].sum())
