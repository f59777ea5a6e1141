"""A model that emojob would compute wrongly is refused, and the message names the reason."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from emojob.pipeline.models import model
from emojob.schemas.errors import ModelError


def refusal(folder) -> str:
    with pytest.raises(ModelError) as caught:
        model.load(str(folder))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"position_embedding_type": "relative_key"}, "relative position embeddings"),
        ({"add_cross_attention": True, "is_decoder": True}, "cross-attention"),
        ({"is_decoder": True}, "a decoder"),
        ({"hidden_act": "gelu_new"}, "hidden_act 'gelu_new'"),
        ({"hidden_act": "swish9"}, "hidden_act 'swish9'"),
        ({"quantization_config": {"bits": 8}}, "quantized"),
        ({"problem_type": "regression"}, "predicts a number"),
        ({"architectures": ["BertForTokenClassification"]}, "BertForTokenClassification"),
    ],
)
def test_what_the_config_says(change_config, values, reason):
    assert reason in refusal(change_config(**values))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("bert.encoder.layer.0.attention.self.distance_embedding.weight", "relative position embeddings"),
        ("bert.encoder.layer.0.crossattention.self.query.weight", "cross-attention"),
        ("bert.encoder.layer.0.attention.self.query.lora_A.default.weight", "LoRA"),
    ],
)
def test_what_the_weights_say(own_model, name, reason):
    weights = load_file(own_model / "model.safetensors")
    save_file(weights | {name: torch.zeros(4, 4)}, own_model / "model.safetensors")
    assert reason in refusal(own_model)


def test_one_output(make_model):
    assert "one output" in refusal(make_model(labels=("기쁨",)))


def test_the_exact_gelu_has_two_names(change_config):
    assert model.load(str(change_config(hidden_act="gelu_python"))).labels


def test_old_buffers_are_no_weights(own_model):
    weights = load_file(own_model / "model.safetensors")
    buffers = {"bert.embeddings.position_ids": torch.arange(512), "bert.embeddings.token_type_ids": torch.zeros(1, 512)}
    save_file(weights | buffers, own_model / "model.safetensors")
    assert model.load(str(own_model)).labels


def test_labels_may_be_a_list(change_config):
    names = ["하나", "둘", "셋", "넷", "다섯", "여섯"]
    assert model.load(str(change_config(id2label=names))).labels == tuple(names)


def test_label2id_alone_names_the_labels_too(change_config):
    names = {name: i for i, name in enumerate(("하나", "둘", "셋", "넷", "다섯", "여섯"))}
    assert model.load(str(change_config(id2label=None, label2id=names))).labels == tuple(names)


def test_placeholders_are_accepted_with_a_note(change_config):
    loaded = model.load(str(change_config(id2label={str(i): f"LABEL_{i}" for i in range(6)})))
    assert "LABEL_0" in loaded.notes[0]
    assert "id2label" in loaded.notes[0]


def test_numbers_of_labels_that_contradict_each_other_are_noted(change_config):
    names = ("하나", "둘", "셋", "넷", "다섯", "여섯")
    swapped = {name: i for i, name in enumerate(("둘", "하나", *names[2:]))}
    loaded = model.load(str(change_config(id2label=dict(enumerate(names)), label2id=swapped)))
    assert loaded.labels == names
    assert "하나 has the number 0 in id2label, and 1 in label2id" in loaded.notes[0]
    same = {name: str(i) for i, name in enumerate(names)}
    assert not model.load(str(change_config(id2label=dict(enumerate(names)), label2id=same))).notes
    defaults = {f"LABEL_{i}": i for i in range(6)}  # left over where only id2label was set
    assert not model.load(str(change_config(id2label=dict(enumerate(names)), label2id=defaults))).notes


@pytest.mark.parametrize("name", ["model.safetensors", "spiece.model", "tokenizer.json"])
def test_a_pointer_of_git_lfs_is_no_file_of_the_model(own_model, name):
    (own_model / name).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n")
    assert f"{name} of {own_model} is a pointer of Git LFS" in refusal(own_model)
    assert "git lfs pull" in refusal(own_model)


def test_two_labels_without_names_are_placeholders_because_transformers_omits_them(make_model):
    folder = make_model(labels=("LABEL_0", "LABEL_1"))
    assert "id2label" not in json.loads((folder / "config.json").read_text())
    assert model.load(str(folder)).labels == ("LABEL_0", "LABEL_1")


def test_weights_with_other_names_need_convert(own_model):
    weights = {f"module.{name}": weight for name, weight in load_file(own_model / "model.safetensors").items()}
    weights["classifier.weight"] = weights.pop("module.classifier.weight")
    save_file(weights, own_model / "model.safetensors")
    assert f"emojob convert {own_model} -o DIR" in refusal(own_model)


def test_a_file_is_no_folder_but_can_become_one(own_model):
    assert f"emojob convert {own_model / 'model.safetensors'} -o DIR" in refusal(own_model / "model.safetensors")


def test_a_training_that_is_not_finished_is_named(own_model):
    (own_model / "config.json").unlink()
    (own_model / "_training").mkdir()
    assert "the training of" in (said := refusal(own_model))
    assert "`emojob train`" in said


def test_the_default_model_has_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert model.load("default").fingerprint == model.load(None).fingerprint
