"""Recipe files are read, and invalid ones are refused."""

import dataclasses
import re

import pytest

from emojob.schemas.errors import OptionError
from emojob.training.default_model.recipe import CORPORA, DEFAULT_RECIPE, Phase, read_recipe


@pytest.fixture
def changed(tmp_path):
    """The default recipe with one piece of its text replaced."""

    def change(old: str, new: str):
        text = DEFAULT_RECIPE.read_text(encoding="utf-8")
        assert text.count(old) >= 1
        file = tmp_path / "recipe.toml"
        file.write_text(text.replace(old, new, 1), encoding="utf-8")
        return file

    return change


def test_the_default_recipe_is_a_small_kobert():
    recipe = read_recipe()
    assert dataclasses.astuple(recipe.shape)[:6] == (8002, 256, 6, 4, 1024, 512)
    assert recipe.corpus.held_out == 1000


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("heads = 4", "heads = 4\ncolour = 1", "model has the unknown key 'colour'"),
        ("layers = 6", 'layers = "six"', "model.layers is 'six', which has the wrong type; give a whole number"),
        ("layers = 6", "layers = true", "model.layers is True"),
        ("heads = 4", "heads = 5", "must be a multiple of model.heads (5)"),
        ("layers = 6", "layers = 0", "model.layers is 0"),
        ("[[fine_tuning.phases]]", "[fine_tuning.phases]", "is not valid TOML"),
        ("held_out = 1000", "held_out = 0", "corpus.held_out is 0"),
        ("max_positions = 512", "max_positions = 32", "is 64, which is out of range; give a number from 3 to 32"),
        ("masked = 0.2", "masked = 2", "pretraining.masked is 2"),
        ("masked = 0.2", "", "pretraining lacks the key masked"),
        ("kote = 2.0", "kite = 2.0", "unknown key 'kite'"),
        ("kote = 4,", "kite = 4,", "pretraining.repeats has the unknown key 'kite'"),
        ("kote = 4,", "kote = -1,", "pretraining.repeats kote is -1"),
        ("trust = 0.667", "trust = 2", "distillation.trust is 2"),
        ("max_length = 96", "max_length = 1", "teacher.max_length is 1"),
        ("[[teacher.phases]]", "[teacher.phases]", "teacher.phases is"),
        ("[corpus]", "[korpus]", "unknown key 'korpus'"),
        ('goemotions = "goemotions"', 'goemotions = "kote"', "has unknown labels: 없음"),
        ('goemotions = "goemotions"', 'goemotions = "kite"', "--label-map kite does not exist"),
        ('goemotions = "goemotions"', "goemotions = {}", "labels.goemotions is {}"),
        ("[model]", "[model", "is not valid TOML"),
    ],
)
def test_an_invalid_recipe_is_refused_in_one_line(changed, old, new, complaint):
    with pytest.raises(OptionError, match=re.escape(complaint)) as refusal:
        read_recipe(changed(old, new))
    assert "\n" not in str(refusal.value)


def test_a_missing_recipe_is_refused(tmp_path):
    with pytest.raises(OptionError, match="does not exist"):
        read_recipe(tmp_path / "none.toml")


def test_a_whole_number_is_accepted_as_a_float(changed):
    recipe = read_recipe(changed("weight_decay = 0.01", "weight_decay = 0"))
    assert recipe.pretraining.weight_decay == 0.0


def test_a_phase_that_reads_nothing_is_refused():
    shares = dict.fromkeys(CORPORA, 0.0)
    weights = dict.fromkeys(("classes", "kote", "goemotions", "rating"), 1.0)
    with pytest.raises(OptionError, match="has no texts"):
        Phase("idle", 1, 1e-3, shares, weights)
