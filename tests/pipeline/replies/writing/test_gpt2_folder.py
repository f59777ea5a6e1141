"""Folders of GPT-2 models: what is read, what is written, and what is refused."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from emojob.pipeline.replies.writing.gpt2_folder import KOGPT2_LICENCE, Gpt2, load_gpt2, write_gpt2
from emojob.pipeline.replies.writing.sequence import Sequences
from emojob.schemas.errors import ModelError
from tests.pipeline.replies.writing.tiny_gpt2 import tiny_gpt2, tiny_tokenizer, write_tiny_gpt2


def change_config(folder: Path, **changes: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_gpt2(tmp_path / "gpt2")


def test_what_was_written_is_read(folder: Path):
    loaded, ids = load_gpt2(str(folder)), torch.tensor([[2, 40, 50, 4]])
    assert torch.equal(loaded.model(ids).logits, tiny_gpt2().model(ids).logits)
    assert loaded.sequences.prompt("배송이", "분노", 20) == tiny_gpt2().sequences.prompt("배송이", "분노", 20)
    assert (loaded.name, loaded.licence, loaded.positions) == (str(folder), "", 128)
    assert not loaded.model.training


def test_transformers_opens_what_was_written(folder: Path):
    ids = torch.tensor([[2, 40, 50, 4]])
    with torch.no_grad():
        stock = AutoModelForCausalLM.from_pretrained(folder).eval()
        assert torch.allclose(stock(ids).logits, tiny_gpt2().model(ids).logits, atol=1e-5)
    assert AutoTokenizer.from_pretrained(folder).eos_token == "</s>"


def test_the_weights_can_be_trained_and_written_over_what_they_were_read_from(folder: Path):
    loaded = load_gpt2(str(folder))
    with torch.no_grad():
        loaded.model.transformer.wte.weight.add_(1)
    write_gpt2(loaded, folder)
    assert torch.equal(load_gpt2(str(folder)).model.lm_head.weight, tiny_gpt2().model.lm_head.weight + 1)


def test_a_checkpoint_as_kogpt2_has_it(folder: Path):
    weights = load_file(folder / "model.safetensors")
    weights |= {"lm_head.weight": weights["transformer.wte.weight"].clone()}
    weights |= {f"transformer.h.{i}.attn.{name}": torch.ones(1) for i in range(2) for name in ("bias", "masked_bias")}
    torch.save({name: weight.half() for name, weight in weights.items()}, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    (folder / "tokenizer_config.json").unlink()
    change_config(folder, license="CC-BY-NC-SA 4.0", author="SKT", gradient_checkpointing=False, dtype="float16")
    loaded = load_gpt2(str(folder))
    assert {weight.dtype for weight in loaded.model.parameters()} == {torch.float32}
    assert loaded.licence == KOGPT2_LICENCE


def test_weights_without_a_prefix(folder: Path):
    weights = load_file(folder / "model.safetensors")
    save_file({name.removeprefix("transformer."): one for name, one in weights.items()}, folder / "model.safetensors")
    assert torch.equal(load_gpt2(str(folder)).model.lm_head.weight, tiny_gpt2().model.lm_head.weight)


@pytest.mark.parametrize("name", ["kogpt2-base-v2", "my-KoGPT2"])
def test_a_local_copy_of_kogpt2_has_its_licence_by_its_name(folder: Path, tmp_path: Path, name: str):
    assert load_gpt2(str(folder.rename(tmp_path / name))).licence == KOGPT2_LICENCE


def test_a_local_copy_of_kogpt2_has_its_licence_by_its_vocabulary(tmp_path: Path):
    tokenizer = json.loads(tiny_tokenizer().to_str())
    words = tokenizer["model"]["vocab"]
    words["<unused99>"] = len(words)
    words |= {f"낱말{number}": number for number in range(len(words), 51_200)}
    sequences = Sequences(Tokenizer.from_str(json.dumps(tokenizer)))
    (tmp_path / "copy").mkdir()
    write_gpt2(Gpt2(tiny_gpt2(vocab_size=51_200, n_embd=4).model, sequences, "copy"), tmp_path / "copy")
    assert load_gpt2(str(tmp_path / "copy")).licence == KOGPT2_LICENCE


#: config.json of KoGPT2 version 2, with the sizes of the tests.
PUBLISHED = {
    "_num_labels": 1, "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1,
    "author": "SKT", "bos_token_id": 0, "created_date": "2021-04-28", "embd_pdrop": 0.1, "eos_token_id": 0,
    "gradient_checkpointing": False, "id2label": {"0": "LABEL_0"}, "initializer_range": 0.02,
    "label2id": {"LABEL_0": 0}, "layer_norm_epsilon": 1e-05, "license": "CC-BY-NC-SA 4.0", "model_type": "gpt2",
    "n_ctx": 128, "n_embd": 32, "n_head": 4, "n_inner": None, "n_layer": 2, "n_positions": 128, "pad_token_id": 3,
    "resid_pdrop": 0.1, "summary_activation": None, "summary_first_dropout": 0.1, "summary_proj_to_labels": True,
    "summary_type": "cls_index", "summary_use_proj": True,
    "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}}, "use_cache": True,
}  # fmt: skip


def test_the_published_config_opens_with_a_pickle_of_tensors(folder: Path):
    weights = load_file(folder / "model.safetensors")
    torch.save(weights | {"lm_head.weight": weights["transformer.wte.weight"]}, folder / "pytorch_model.bin")
    for name in ("model.safetensors", "tokenizer_config.json"):
        (folder / name).unlink()
    vocabulary = {"vocab_size": tiny_gpt2().sequences.tokens}
    (folder / "config.json").write_text(json.dumps(PUBLISHED | vocabulary))
    loaded, ids = load_gpt2(str(folder)), torch.tensor([[2, 40, 50, 4]])
    assert torch.equal(loaded.model(ids).logits, tiny_gpt2().model(ids).logits)
    assert loaded.licence == KOGPT2_LICENCE
    assert loaded.sequences.end == 1  # `</s>` of the tokenizer, whatever config.json says
    write_gpt2(loaded, folder)
    assert AutoModelForCausalLM.from_pretrained(folder).config.eos_token_id == 1


def test_the_licence_follows_the_model(folder: Path, tmp_path: Path):
    (folder / "README.md").write_text("---\nlicense: cc-by-nc-sa-4.0\n---\n")
    loaded = load_gpt2(str(folder))
    assert loaded.licence == KOGPT2_LICENCE
    (tmp_path / "again").mkdir()
    write_gpt2(loaded, tmp_path / "again")
    assert load_gpt2(str(tmp_path / "again")).licence == KOGPT2_LICENCE


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architectures": ["GPT2DoubleHeadsModel"]}, "is a GPT2DoubleHeadsModel in its config.json"),
        ({"model_type": "bert"}, "supports only 'gpt2': give another model, such as skt/kogpt2-base-v2"),
        ({"n_layer": 3}, "n_layer is 3, the weights have 2 layers"),
        ({"n_layer": 1_000_000_000}, "the weights have 2 layers"),
        ({"n_head": 0}, "do not fit its config.json"),
        ({"n_head": 5}, "do not fit its config.json"),
        ({"n_embd": "wide"}, "do not fit its config.json"),
        ({"n_positions": 64}, "do not fit its config.json"),
        ({"activation_function": "none_such"}, "do not fit its config.json"),
        ({"vocab_size": 300}, "do not fit its config.json"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings false"),
        ({"quantization_config": {"bits": 4}}, "quantized weights"),
    ],
)
def test_a_config_that_is_refused(folder: Path, changes: dict[str, object], message: str):
    change_config(folder, **changes)
    with pytest.raises(ModelError) as caught:
        load_gpt2(str(folder))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"\x80\x04{", b"version https://git-lfs.github.com/spec/v1\n"])
def test_a_missing_or_damaged_file_is_named(folder: Path, name: str, content: bytes | None):
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(ModelError) as caught:
        load_gpt2(str(folder))
    assert name.split(".")[0].replace("model", "weights") in str(caught.value).replace("model", "weights")
    assert "\n" not in str(caught.value)


def test_a_pickle_is_not_run(folder: Path, tmp_path: Path):
    class Harm:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "harmed",)

    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Harm()))
    with pytest.raises(ModelError, match="damaged, or contains objects other than weights"):
        load_gpt2(str(folder))
    assert not (tmp_path / "harmed").exists()


def test_a_tokenizer_that_does_not_fit(folder: Path):
    content = json.loads((folder / "tokenizer.json").read_text())
    whole = json.dumps(content)
    content["model"]["vocab"] |= {"하나더": len(content["model"]["vocab"])}
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"has (\d+) tokens, but the weights are for \d+ tokens"):
        load_gpt2(str(folder))
    (folder / "tokenizer.json").write_text(whole.replace("<usr>", "<abc>").replace("<unused1>", "<abd>"))
    with pytest.raises(ModelError, match="lacks the tokens <usr>, <unused1>"):
        load_gpt2(str(folder))


def test_a_model_on_the_hub_without_a_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"--base skt/kogpt2-base-v2 .* give a local model folder"):
        load_gpt2("skt/kogpt2-base-v2")
