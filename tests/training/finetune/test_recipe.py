import dataclasses

import numpy as np
import pytest
import torch
import transformers

from emojob.pipeline.models.bert import BertShape, Classifier
from emojob.schemas.errors import OptionError
from emojob.training.data.annotated import Annotated, AnnotatedCounts
from emojob.training.data.splits import split
from emojob.training.finetune.learner import Learner, learning_rate_factor, packed_batch, parameter_groups
from emojob.training.finetune.recipe import RECIPES, read_train_recipe

SEED = read_train_recipe("seed")
SHAPE = BertShape(vocab_size=50, hidden_size=16, layers=2, heads=2, intermediate_size=32)


def learner(dropout: float = 0.5) -> Learner:
    return Learner(Classifier(SHAPE, labels=3), dropout)


class TestTheSeedRecipe:
    def test_says_what_the_notebook_did(self):
        recipe = SEED.training
        assert (recipe.epochs, recipe.batch, recipe.learning_rate) == (50, 64, 5e-5)
        assert (recipe.schedule, recipe.warmup, recipe.clip, recipe.dropout) == ("cosine", 0.1, 1.0, 0.5)
        assert (recipe.max_length, recipe.log_every, recipe.precision) == (64, 200, "fp32")
        assert (recipe.layer_decay, recipe.class_weights, recipe.label_smoothing) == (1.0, 0.0, 0.0)
        assert (recipe.keep, recipe.patience, recipe.accumulation) == ("last", 0, 1)
        assert dataclasses.asdict(SEED.split) == {"test": 0.2, "validation": 0.0, "how": "plain", "seed": 4}

    def test_decays_all_weights_but_biases_and_layer_norm(self):
        model = learner()
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        decay_of = {
            names[id(parameter)]: group["weight_decay"]
            for group in parameter_groups(model, SEED.training)
            for parameter in group["params"]
        }
        assert decay_of.keys() == set(names.values())
        plain = {name for name, decay in decay_of.items() if decay == 0.0}
        assert plain == {name for name in decay_of if name.endswith("bias") or "norm.weight" in name}
        assert {decay_of[name] for name in decay_of.keys() - plain} == {0.01}
        assert {group["lr"] for group in parameter_groups(model, SEED.training)} == {5e-5}

    def test_warms_up_over_a_tenth_of_the_steps_and_falls_by_a_cosine(self):
        steps = 1234
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        theirs = transformers.get_cosine_schedule_with_warmup(optimizer, int(0.1 * steps), steps)
        for step in range(steps):
            if step in (0, 1, 61, 122, 123, 124, 500, 1000, 1233):
                assert learning_rate_factor(step, steps, SEED.training) == pytest.approx(
                    theirs.get_last_lr()[0], abs=1e-9
                )
            optimizer.step()
            theirs.step()

    def test_drops_half_of_the_pooled_output_before_the_linear_layer_and_only_while_learning(self):
        model = learner(SEED.training.dropout)
        seen = []
        model.classifier.head.register_forward_hook(lambda layer, inputs, output: seen.append(inputs[0].detach()))
        ids = torch.full((2000, 3), 7)
        batch = {
            "ids": ids.reshape(-1),
            "positions": torch.arange(3).repeat(2000),
            "groups": [(2000, 3)],
            "firsts": torch.arange(2000) * 3,
            "segments": None,
        }
        model.train()
        model(**batch)
        model.eval()
        model(**batch)
        assert (seen[0] == 0).float().mean().item() == pytest.approx(0.5, abs=0.02)
        assert (seen[1] != 0).all()

    def test_splits_as_scikit_learn_does_with_the_seed_4(self):
        texts = [f"문장 {i}" for i in range(10)]
        counts = AnnotatedCounts(10, 0, 0, 0, 0, 0, 0, 10)
        annotated = Annotated(texts, [None] * 10, [None] * 10, np.arange(10) % 2, ("기쁨", "슬픔"), counts)
        parts = split(annotated, SEED.split.test, SEED.split.validation, SEED.split.seed, SEED.split.how)
        # made with sklearn.model_selection.train_test_split(range(10), test_size=0.2, random_state=4)
        assert parts.test.tolist() == [3, 8]
        assert parts.train.tolist() == [4, 9, 2, 6, 0, 1, 5, 7]


def test_each_layer_learns_slower_than_the_one_above_it():
    recipe = dataclasses.replace(SEED.training, layer_decay=0.5, learning_rate=1.0)
    model = learner()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    rate_of = {names[id(p)]: group["lr"] for group in parameter_groups(model, recipe) for p in group["params"]}
    assert rate_of["classifier.head.weight"] == rate_of["classifier.pooler.bias"] == 1.0
    assert rate_of["classifier.encoder.layers.1.qkv.weight"] == 0.5
    assert rate_of["classifier.encoder.layers.0.output_norm.weight"] == 0.25
    assert rate_of["classifier.encoder.words.weight"] == rate_of["classifier.encoder.norm.bias"] == 0.125


def test_linear_schedule_falls_to_nothing_and_constant_stays():
    linear = dataclasses.replace(SEED.training, schedule="linear", warmup=0.0)
    assert [learning_rate_factor(step, 4, linear) for step in range(5)] == [1.0, 0.75, 0.5, 0.25, 0.0]
    constant = dataclasses.replace(SEED.training, schedule="constant", warmup=0.5)
    assert [learning_rate_factor(step, 4, constant) for step in range(4)] == [0.0, 0.5, 1.0, 1.0]


@pytest.mark.parametrize("name", ["default", "seed"])
def test_epochs_replace_those_of_the_recipe_and_nothing_else(name):
    recipe = read_train_recipe(name, epochs=3)
    assert recipe.training.epochs == 3
    assert dataclasses.replace(recipe.training, epochs=read_train_recipe(name).training.epochs) == (
        read_train_recipe(name).training
    )
    assert recipe.split == read_train_recipe(name).split


def test_epochs_beyond_all_reason_are_refused():
    with pytest.raises(OptionError, match=r"training\.epochs is 1000000, which should lie between 1 and 100000"):
        read_train_recipe("seed", epochs=1_000_000)


def test_every_recipe_of_the_package_is_whole():
    for name in ("default", "seed"):
        assert read_train_recipe(name).as_dict()["training"]["seed"] == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("epochs = 0", "training.epochs is 0, which should lie between 1"),
        ('schedule = "step"', "training.schedule is 'step', which should be one of cosine, linear, constant"),
        ("epochs = true", "training.epochs is True, which should be a whole number"),
        ("ecopohs = 3", "training has the unknown key 'ecopohs'"),
        ("patience = 2", 'training.patience is 2, but training.keep is "last"'),
        ('keep = "best"', "no texts select the best epoch"),
    ],
)
def test_a_recipe_that_cannot_be_is_one_line(tmp_path, change, message):
    key = change.split(" ")[0]
    lines = [line for line in (RECIPES / "seed.toml").read_text().splitlines() if not line.startswith(f"{key} =")]
    lines.insert(lines.index("[training]") + 1, change)
    file = tmp_path / "own.toml"
    file.write_text("\n".join(lines))
    with pytest.raises(OptionError) as error:
        read_train_recipe(str(file))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["x = " + "[" * 50_000, "[training"])
def test_a_recipe_that_is_not_toml_is_one_line(tmp_path, text):
    (tmp_path / "odd.toml").write_text(text)
    with pytest.raises(OptionError, match="is not TOML"):
        read_train_recipe(str(tmp_path / "odd.toml"))


@pytest.mark.parametrize("name", ["a\0b", ".", ""])
def test_a_name_that_no_recipe_can_have_is_one_line(name):
    with pytest.raises(OptionError, match="--recipe"):
        read_train_recipe(name)


def test_a_missing_recipe_names_those_there_are(tmp_path):
    with pytest.raises(OptionError, match=r"does not exist: give default, seed, or a \.toml file"):
        read_train_recipe(str(tmp_path / "none.toml"))


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
