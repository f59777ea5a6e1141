"""Batches, learning rates and parameter groups of the model in training."""

import dataclasses

import numpy as np

from emojob.pipeline.models.bert import BertShape, Classifier
from emojob.training.finetune.learner import Learner, packed_batch
from emojob.training.finetune.optimization import learning_rate_factor, parameter_groups
from emojob.training.finetune.recipe import read_train_recipe

SEED = read_train_recipe("seed")
SHAPE = BertShape(vocab_size=50, hidden_size=16, layers=2, heads=2, intermediate_size=32)


def learner(dropout: float = 0.5) -> Learner:
    return Learner(Classifier(SHAPE, labels=3), dropout)


def test_lower_layers_have_lower_learning_rates():
    recipe = dataclasses.replace(SEED.training, layer_decay=0.5, learning_rate=1.0)
    model = learner()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    rate_of = {names[id(p)]: group["lr"] for group in parameter_groups(model, recipe) for p in group["params"]}
    assert rate_of["classifier.head.weight"] == rate_of["classifier.pooler.bias"] == 1.0
    assert rate_of["classifier.encoder.layers.1.qkv.weight"] == 0.5
    assert rate_of["classifier.encoder.layers.0.output_norm.weight"] == 0.25
    assert rate_of["classifier.encoder.words.weight"] == rate_of["classifier.encoder.norm.bias"] == 0.125


def test_linear_schedule_falls_to_0_and_constant_stays():
    linear = dataclasses.replace(SEED.training, schedule="linear", warmup=0.0)
    assert [learning_rate_factor(step, 4, linear) for step in range(5)] == [1.0, 0.75, 0.5, 0.25, 0.0]
    constant = dataclasses.replace(SEED.training, schedule="constant", warmup=0.5)
    assert [learning_rate_factor(step, 4, constant) for step in range(4)] == [0.0, 0.5, 1.0, 1.0]


def test_a_packed_batch_holds_each_row_once_with_its_label(tokenizer):
    encoded = tokenizer.encode(["네", "정말 고맙습니다 오늘도", "아니요 괜찮아요"])
    labels = np.array([5, 6, 7])
    batch = packed_batch(encoded, labels, [2, 0, 1])
    rows = {
        int(label): batch["ids"][start : start + encoded.lengths[label - 5]].tolist()
        for label, start in zip(batch["labels"].tolist(), batch["firsts"].tolist(), strict=True)
    }
    assert rows == {
        int(label): encoded.ids[encoded.offsets[i] : encoded.offsets[i + 1]].tolist() for i, label in enumerate(labels)
    }
    assert sum(count * length for count, length in batch["groups"]) == len(encoded.ids) <= len(batch["ids"])
