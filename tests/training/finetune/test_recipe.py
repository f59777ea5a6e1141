"""Recipes of `emojob train`: the notebook's settings, --epochs, and refused recipes."""

import dataclasses

import numpy as np
import pytest
import torch
import transformers

from emojob.pipeline.models.bert import BertShape, Classifier
from emojob.schemas.errors import OptionError
from emojob.training.data.annotated import Annotated, AnnotatedCounts
from emojob.training.data.splits import split
from emojob.training.finetune.learner import Learner
from emojob.training.finetune.optimization import learning_rate_factor, parameter_groups
from emojob.training.finetune.recipe import RECIPES, read_train_recipe

SEED = read_train_recipe("seed")
SHAPE = BertShape(vocab_size=50, hidden_size=16, layers=2, heads=2, intermediate_size=32)


def learner(dropout: float = 0.5) -> Learner:
    return Learner(Classifier(SHAPE, labels=3), dropout)


class TestTheSeedRecipe:
    def test_has_the_settings_of_the_notebook(self):
        recipe = SEED.training
        assert (recipe.epochs, recipe.batch, recipe.learning_rate) == (50, 64, 5e-5)
        assert (recipe.schedule, recipe.warmup, recipe.clip, recipe.dropout) == ("cosine", 0.1, 1.0, 0.5)
        assert (recipe.max_length, recipe.log_every, recipe.precision) == (64, 200, "fp32")
        assert (recipe.layer_decay, recipe.class_weights, recipe.label_smoothing) == (1.0, 0.0, 0.0)
        assert (recipe.keep, recipe.patience, recipe.accumulation) == ("last", 0, 1)
        assert dataclasses.asdict(SEED.split) == {"test": 0.2, "validation": 0.0, "how": "plain", "seed": 4}

    def test_decays_all_weights_except_biases_and_layer_norm(self):
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

    def test_warms_up_over_a_tenth_of_the_steps_then_decays_by_a_cosine(self):
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

    def test_drops_half_of_the_pooled_output_in_training_only(self):
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

    def test_splits_like_scikit_learn_with_seed_4(self):
        texts = [f"문장 {i}" for i in range(10)]
        counts = AnnotatedCounts(10, 0, 0, 0, 0, 0, 0, 10)
        annotated = Annotated(texts, [None] * 10, [None] * 10, np.arange(10) % 2, ("기쁨", "슬픔"), counts)
        parts = split(annotated, SEED.split.test, SEED.split.validation, SEED.split.seed, SEED.split.how)
        # made with sklearn.model_selection.train_test_split(range(10), test_size=0.2, random_state=4)
        assert parts.test.tolist() == [3, 8]
        assert parts.train.tolist() == [4, 9, 2, 6, 0, 1, 5, 7]


@pytest.mark.parametrize("name", ["default", "seed"])
def test_epochs_replace_only_the_epochs_of_the_recipe(name):
    recipe = read_train_recipe(name, epochs=3)
    assert recipe.training.epochs == 3
    assert dataclasses.replace(recipe.training, epochs=read_train_recipe(name).training.epochs) == (
        read_train_recipe(name).training
    )
    assert recipe.split == read_train_recipe(name).split


def test_options_replace_settings_of_any_recipe():
    recipe = read_train_recipe("seed", epochs=3, learning_rate=1e-4, batch=8, seed=7)
    training = recipe.training
    assert (training.epochs, training.learning_rate, training.batch, training.seed) == (3, 1e-4, 8, 7)
    assert recipe.split == SEED.split  # the test texts stay the same with another seed
    with pytest.raises(OptionError, match=r"training\.learning_rate is nan, which is out of range"):
        read_train_recipe(learning_rate=float("nan"))


def test_a_recipe_contains_only_what_differs(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text("[training]\nepochs = 3\n")
    assert read_train_recipe(str(own)) == read_train_recipe("default", epochs=3)
    own.write_text('extends = "seed"\n[split]\ntest = 0.3\n')
    found = read_train_recipe(str(own))
    assert found.training == SEED.training
    assert found.split == dataclasses.replace(SEED.split, test=0.3)
    (tmp_path / "next.toml").write_text('extends = "own.toml"\n[training]\nlearning_rate = 1\n')
    found = read_train_recipe(str(tmp_path / "next.toml"))
    assert (found.training.learning_rate, found.split.test) == (1.0, 0.3)
    own.write_text("")
    assert read_train_recipe(str(own)) == read_train_recipe()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('extends = "own.toml"', "own.toml extends .*own.toml, which extends"),
        ('extends = "other.toml"', "extends .*own.toml, which extends .*: let one of them extend one of default, seed"),
        ('extends = "fast"', "--recipe .*fast does not exist: give default, seed"),
        ("extends = 3", "the recipe.extends is 3, which has the wrong type"),
        ("training = 3", "the recipe.training is 3, which has the wrong type"),
        ("[trainig]", "the recipe has the unknown key 'trainig'; did you mean training"),
        ("[split]\nhow = 3", "split.how is 3, which has the wrong type"),
        ('[split]\nhow = "random"', "split.how is 'random', which is not valid; give one of hash, stratified, plain"),
    ],
)
def test_a_partial_recipe_that_is_wrong_is_refused_in_one_line(tmp_path, text, message):
    (tmp_path / "own.toml").write_text(text)
    (tmp_path / "other.toml").write_text('extends = "own.toml"')
    with pytest.raises(OptionError, match=message) as error:
        read_train_recipe(str(tmp_path / "own.toml"))
    assert "\n" not in str(error.value)


def test_too_many_epochs_are_refused():
    message = r"training\.epochs is 1000000, which is out of range; give a number from 1 to 100000"
    with pytest.raises(OptionError, match=message):
        read_train_recipe("seed", epochs=1_000_000)


def test_shipped_recipes_are_complete():
    for name in ("default", "seed"):
        assert read_train_recipe(name).as_dict()["training"]["seed"] == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("epochs = 0", "training.epochs is 0, which is out of range; give a number from 1"),
        ('schedule = "step"', "training.schedule is 'step', which is not valid; give one of cosine, linear, constant"),
        ("epochs = true", "training.epochs is True, which has the wrong type; give a whole number"),
        ("ecopohs = 3", "training has the unknown key 'ecopohs'"),
        ("patience = 2", 'training.patience is 2, but training.keep is "last"'),
        ('keep = "best"', 'training.keep is "best", but split.validation is 0'),
    ],
)
def test_an_invalid_recipe_is_refused_in_one_line(tmp_path, change, message):
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
def test_a_recipe_that_is_not_toml_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "odd.toml").write_text(text)
    with pytest.raises(OptionError, match="is not valid TOML"):
        read_train_recipe(str(tmp_path / "odd.toml"))


@pytest.mark.parametrize("name", ["a\0b", ".", ""])
def test_an_impossible_recipe_name_is_refused_in_one_line(name):
    with pytest.raises(OptionError, match="--recipe"):
        read_train_recipe(name)


def test_a_missing_recipe_lists_the_existing_ones(tmp_path):
    with pytest.raises(OptionError, match=r"does not exist: give default, seed, or a TOML file"):
        read_train_recipe(str(tmp_path / "none.toml"))
