"""A model is loaded, or refused with a one-line message that says what to do."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from emojob.pipeline.models import model
from emojob.pipeline.models.bert import from_hf, to_hf
from emojob.schemas.errors import ModelError
from emojob.schemas.labels import DEFAULT_LABELS

GOLDEN = Path(__file__).parent / "golden"


def refusal(folder) -> str:
    with pytest.raises(ModelError) as caught:
        model.load(str(folder))
    message = str(caught.value)
    assert "\n" not in message
    return message


def rewrite_weights(folder, change) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


def test_labels_come_by_name_in_id_order(make_model):
    loaded = model.load(str(make_model(labels=("좋음", "나쁨", "모름"))))
    assert loaded.labels == ("좋음", "나쁨", "모름")


def test_the_default_model_has_the_six_labels():
    assert model.load().labels == DEFAULT_LABELS


def test_translating_the_names_of_weights_is_reversible(tiny_model):
    weights = load_file(tiny_model / "model.safetensors")
    back = to_hf(from_hf(weights, layers=2))
    assert back.keys() == {name for name in weights if "position_ids" not in name}
    assert all(torch.equal(back[name], weights[name]) for name in back)


def test_pickled_weights_are_read_as_weights_only(own_model):
    expected = model.load(str(own_model))
    torch.save(load_file(own_model / "model.safetensors"), own_model / "pytorch_model.bin")
    (own_model / "model.safetensors").unlink()
    loaded = model.load(str(own_model))
    assert torch.equal(loaded.classifier.head.weight, expected.classifier.head.weight)


class Payload:
    def __reduce__(self):
        return (Path.touch, (Path("run-by-the-pickle"),))


def test_a_pickle_that_would_run_code_is_refused(own_model, monkeypatch):
    monkeypatch.chdir(own_model)
    (own_model / "model.safetensors").unlink()
    torch.save({"classifier.weight": Payload()}, own_model / "pytorch_model.bin")
    assert "objects other than weights" in refusal(own_model)
    assert not (own_model / "run-by-the-pickle").exists()


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "spiece.model"])
def test_a_missing_file_is_named(own_model, file):
    (own_model / file).unlink()
    assert file in refusal(own_model)


def test_a_base_model_without_a_head_is_refused_with_the_command_that_makes_one(own_model):
    rewrite_weights(own_model, lambda weights: [weights.pop(name) for name in list(weights) if "classifier" in name])
    assert f"emojob train --base {own_model}" in refusal(own_model)


def test_a_tokenizer_of_another_size_is_refused(own_model):
    shutil.copy(GOLDEN / "spiece_digits.model", own_model / "spiece.model")
    assert re.search(r"88 pieces, but the weights are for 8002 pieces", refusal(own_model))


def test_a_tokenizer_that_does_not_know_korean_is_refused(make_model):
    folder = make_model(vocab_size=88)
    shutil.copy(GOLDEN / "spiece_digits.model", folder / "spiece.model")
    assert "does not know" in refusal(folder)


def test_other_special_ids_are_refused(change_config):
    assert "pad_token_id 0" in refusal(change_config(pad_token_id=0))


def test_labels_that_do_not_fit_the_head_are_refused(change_config):
    assert "id2label" in refusal(change_config(id2label={"0": "기쁨", "1": "슬픔"}))


def test_another_kind_of_model_is_refused(change_config):
    assert "'electra'" in refusal(change_config(model_type="electra"))


def test_a_truncated_weight_file_is_refused(own_model):
    file = own_model / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    assert "cannot be read" in refusal(own_model)


def test_weights_of_another_size_than_the_config_are_refused(change_config):
    assert "do not fit" in refusal(change_config(intermediate_size=128))


@pytest.mark.parametrize("size", ["hidden_size", "intermediate_size", "max_position_embeddings", "num_hidden_layers"])
def test_an_absurd_size_is_refused_before_memory_is_allocated(change_config, size):
    assert "config.json" in (said := refusal(change_config(**{size: 10**9}))) or "lacks the weight" in said


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    assert "does not exist" in refusal(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["nothing/", "./nothing", "../nothing/", "a model", "a--b", "모델/", "a/b/"])
def test_a_name_that_cannot_be_on_the_hub_does_not_exist(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert f"--model {name} does not exist: give an existing model folder" in refusal(name)


def test_the_fingerprint_changes_with_weights_labels_and_max_length(own_model, change_config):
    before = model.load(str(own_model))
    assert before.fingerprint_for(64) != before.fingerprint_for(32)
    change_config(id2label={str(i): name for i, name in enumerate("가나다라마바")})
    renamed = model.load(str(own_model))
    rewrite_weights(own_model, lambda weights: weights["classifier.bias"].add_(1))
    reweighted = model.load(str(own_model))
    assert len({one.fingerprint_for(64) for one in (before, renamed, reweighted)}) == 3
