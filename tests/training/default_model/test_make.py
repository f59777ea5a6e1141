"""The steps from corpora to a model folder, on three hundred texts."""

import dataclasses
import json

import numpy as np
import pytest

from emojob.schemas.errors import DataError, ModelError, OptionError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.default_model.corpora import FILES, example_texts, labelled_examples, read_corpora
from emojob.training.default_model.make import make_default_model


@pytest.fixture(scope="module")
def made(data, recipe, tmp_path_factory):
    """(folder, work folder, metrics, progress lines) of one run."""
    folder = tmp_path_factory.mktemp("made")
    lines: list[str] = []
    metrics = make_default_model(data, folder / "model", folder / "work", recipe, lines.append)
    return folder / "model", folder / "work", metrics, lines


def test_the_made_model_predicts_held_out_texts(made):
    folder, _, metrics, _ = made
    assert metrics["kote_held_out"]["accuracy"] > 0.7  # a random guess is right in a sixth of them
    assert json.loads((folder / "metrics.json").read_text(encoding="utf-8")) == metrics
    assert json.loads((folder / "config.json").read_text(encoding="utf-8"))["id2label"] == {
        str(i): label for i, label in enumerate(DEFAULT_LABELS)
    }


def test_the_card_states_the_measured_figures_and_the_licences(made):
    folder, _, metrics, _ = made
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlanguage: ko\n")
    for corpus in ("kote_held_out", "goemotions_dev", "goemotions_test", "dialogue_test", "dialogue_other_hand"):
        assert f"{metrics[corpus]['accuracy']:.3f}" in card
        assert f"{metrics[corpus]['macro_f1']:.3f}" in card
    assert all(licence in card for licence in ("CC0", "MIT", "Apache-2.0"))
    assert "$" not in card


def test_the_same_work_folder_gives_the_same_model(made, data, recipe, tmp_path):
    folder, work, _, _ = made
    make_default_model(data, tmp_path / "again", work, recipe, lambda line: None)
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_a_work_folder_of_another_recipe_is_refused(made, data, recipe, tmp_path):
    other = dataclasses.replace(recipe, pretraining=dataclasses.replace(recipe.pretraining, cycles=(5000,)))
    with pytest.raises(OptionError, match=r"\(changed: pretraining\)"):
        make_default_model(data, tmp_path, made[1], other, lambda line: None)


def test_a_work_folder_of_another_teacher_is_refused(made, data, recipe, tmp_path):
    other = dataclasses.replace(recipe, teacher=dataclasses.replace(recipe.teacher, seed=2))
    with pytest.raises(OptionError, match=r"\(changed: teacher\)"):
        make_default_model(data, tmp_path, made[1], other, lambda line: None)


def test_an_unavailable_teacher_fails_before_pretraining(data, recipe, tmp_path):
    other = dataclasses.replace(recipe, teacher=dataclasses.replace(recipe.teacher, base="./nowhere"))
    lines: list[str] = []
    with pytest.raises(ModelError, match=r"--teacher \./nowhere does not exist"):
        make_default_model(data, tmp_path / "out", tmp_path / "work", other, lines.append)
    assert not lines


def test_missing_corpora_are_all_named(data, recipe, tmp_path):
    (tmp_path / FILES["chat"]).write_bytes((data / FILES["chat"]).read_bytes())
    with pytest.raises(DataError, match=r"nsmc_reviews\.parquet, kote_val\.tsv"):
        read_corpora(tmp_path, recipe)


def test_held_out_texts_are_not_in_the_training_data(data, recipe):
    read = read_corpora(data, recipe)
    assert len(read.kote_held_out.texts) == 60
    assert not set(read.kote_held_out.texts) & set(read.kote.texts)


def test_each_text_has_its_known_answers_only(data, recipe, tokenizer):
    read = read_corpora(data, recipe)
    examples = labelled_examples(read, tokenizer, recipe)
    known = {task: set(np.flatnonzero(~np.isnan(marks[:, 0]))) for task, marks in examples.marks.items()}
    assert known["kote"] == set(examples.corpora["kote"])
    assert known["goemotions"] == set(examples.corpora["goemotions"])
    assert known["rating"] == set(examples.corpora["reviews"])
    assert len(examples.encoded) == len(example_texts(read))
    with_class = np.flatnonzero(~np.isnan(examples.classes[:, 0]))
    assert set(with_class) == known["kote"] | known["goemotions"] | set(examples.corpora["dialogue"])


def test_dialogue_lines_for_training_and_test_differ(data, recipe):
    read = read_corpora(data, recipe)
    parts = (read.dialogue, read.dialogue_test, read.dialogue_other_hand)
    texts = ["".join(filter(str.isalnum, text)) for part in parts for text in part.texts]
    assert len(set(texts)) == len(texts) > 500


def test_more_texts_held_out_than_there_are_is_refused(data, recipe):
    greedy = dataclasses.replace(recipe, corpus=dataclasses.replace(recipe.corpus, held_out=300))
    with pytest.raises(OptionError, match=r"set corpus\.held_out to 299 or less"):
        read_corpora(data, greedy)


def test_a_recipe_that_does_not_fit_the_tokenizer_is_refused(data, recipe, tmp_path):
    other = dataclasses.replace(recipe, shape=dataclasses.replace(recipe.shape, vocab_size=8002))
    with pytest.raises(OptionError, match=r"vocab_size is 8002, but .* has \d+ pieces"):
        make_default_model(data, tmp_path / "out", tmp_path / "work", other, lambda line: None)
    assert not (tmp_path / "work").exists()
