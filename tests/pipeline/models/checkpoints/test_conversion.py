"""A checkpoint in any usual form becomes a folder whose probabilities are those of stock transformers."""

import collections
import contextlib
import itertools
import json
import os
import pickle
import random
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertConfig, BertForSequenceClassification, BertModel

from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.models.checkpoints.conversion import convert, new_model_folder
from emojob.pipeline.models.kobert_tokenizer import KoBertTokenizer
from emojob.schemas.errors import ModelError, OptionError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.finetune.base_model import load_base
from tests.examples import examples
from tests.pipeline.models.checkpoints import forms

TEXTS = ["오늘 정말 고마웠어요", "왜 이렇게 늦어요?", "1,000원이면 돼요", "네", "혼자 있으면 눈물이 나요. " * 30]
LABELS = DEFAULT_LABELS


@pytest.fixture(scope="session")
def stock():
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=8002, hidden_size=64, num_hidden_layers=2, num_attention_heads=1, intermediate_size=96, num_labels=6,
        pad_token_id=1, initializer_range=0.3,
    )  # fmt: skip
    return BertForSequenceClassification(config).eval()


@pytest.fixture
def state(stock):
    return {name: weight.detach().clone() for name, weight in stock.state_dict().items()}


@pytest.fixture(scope="session")
def small(tmp_path_factory, golden):
    """A file for damaged checkpoints, a small tokenizer, and the content of an undamaged zip file and pickle."""
    config = BertConfig(
        vocab_size=88, hidden_size=64, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, num_labels=6
    )
    state = BertForSequenceClassification(config).state_dict()
    file = tmp_path_factory.mktemp("damaged") / "c.pt"
    saved = []
    for legacy in (False, True):
        forms.write(state, file, "namespace", legacy)
        saved.append(file.read_bytes())
    return file, golden / "spiece_digits.model", saved


@pytest.fixture
def spiece(golden):
    return golden / "spiece.model"


def expected(stock: BertForSequenceClassification, spiece: Path, dtype: torch.dtype = torch.float32) -> np.ndarray:
    """Probabilities of stock transformers, computed in fp32 with the weights rounded to `dtype`."""
    model = BertForSequenceClassification(stock.config)
    model.load_state_dict({name: weight.to(dtype).float() for name, weight in stock.state_dict().items()})
    tokenizer = KoBertTokenizer(spiece)
    with torch.inference_mode():
        rows = [model.eval()(torch.tensor([ids])).logits for ids in tokenizer.encode(TEXTS, 64).tolist()]
    return torch.softmax(torch.cat(rows), 1).numpy()


def probabilities(folder: Path) -> np.ndarray:
    return Scorer.load(folder, precision="fp32", device="cpu").score(TEXTS).probabilities


def converted_folder(checkpoint: Path, out: Path, **given: object) -> Path:
    with new_model_folder(out, convert(checkpoint, given.pop("labels", LABELS), **given)):
        pass
    return out


def matrix() -> list[dict]:
    """64 forms: each prefix with each head. What lies around them is drawn at random with a fixed seed."""
    chance = random.Random(21)
    cases = []
    for prefix, head in itertools.product(forms.PREFIXES, forms.HEADS):
        suffix = chance.choice((".pt", ".pt", ".ckpt", ".bin", ".safetensors"))
        encoder = chance.choice(("bert", "bert", "kobert", "encoder"))
        cases.append({
            "prefix": prefix, "head": head, "suffix": suffix, "encoder": encoder,
            "wrapped": chance.choice([*forms.WRAPPED]), "legacy": chance.random() < 0.3,
            "old": chance.random() < 0.3, "buffers": chance.random() < 0.5,
            "rows": chance.choice((0, 0, 62, 5)),
            "dtype": chance.choice((torch.float32, torch.float16, torch.bfloat16)),
        })  # fmt: skip
    return cases


def check_form(case: dict, state: forms.State, stock, spiece: Path, tmp_path: Path) -> None:
    named = forms.renamed(forms.half(state, case["dtype"]), case["prefix"], case["head"], case["encoder"])
    if case["rows"]:
        named = forms.with_more_rows(named, case["rows"])
    if case["old"]:
        named = forms.old_names(named)
    if case["buffers"]:
        named = forms.with_buffers(named)
    file = forms.write(named, tmp_path / f"checkpoint{case['suffix']}", case["wrapped"], case["legacy"])
    folder = converted_folder(file, tmp_path / "model", tokenizer=spiece)
    found = probabilities(folder)
    assert np.abs(found - expected(stock, spiece, case["dtype"])).max() < 1e-5, case
    again = BertForSequenceClassification.from_pretrained(folder)
    assert tuple(again.config.id2label.values()) == LABELS


@pytest.mark.parametrize("number", [0, 13, 22, 31, 40, 58])
def test_probabilities_are_those_of_transformers(number, state, stock, spiece, tmp_path):
    check_form(matrix()[number], state, stock, spiece, tmp_path)


@pytest.mark.slow
def test_probabilities_are_those_of_transformers_for_all_forms(state, stock, spiece, tmp_path):
    for number, case in enumerate(matrix()):
        (tmp_path / str(number)).mkdir()
        check_form(case, state, stock, spiece, tmp_path / str(number))


def test_what_is_dropped_and_assumed_is_listed(state, spiece, tmp_path):
    named = forms.with_buffers(forms.with_more_rows(forms.renamed(state, "module."), 62))
    read = convert(forms.write(named, tmp_path / "c.pt", "model_state_dict"), LABELS, spiece)
    said = "\n".join((*read.found, *read.dropped, *read.assumed))
    for part in (
        "key model_state_dict",
        "encoder bert., head classifier",
        "epoch, optimizer, loss",
        "bert.embeddings.position_ids",
        "cls.predictions.bias",
        "criterion.weight",
        "62 of 8,064 rows",
        "1 attention head (64 dimensions each)",
        "layer_norm_eps 1e-12",
    ):
        assert part in said


def test_a_head_without_bias_is_exact_with_zeros(state, spiece, tmp_path):
    del state["classifier.bias"]
    read = convert(forms.write(state, tmp_path / "c.pt"), LABELS, spiece)
    assert not read.weights["classifier.bias"].any()
    assert any("classifier.bias is zero" in line for line in read.assumed)


def test_weights_of_the_loss_and_counters_are_no_layers(state, spiece, tmp_path):
    more = {"class_weights": torch.ones(6), "loss_fn.pos_weight": torch.ones(6), "n_averaged": torch.tensor(3)}
    read = convert(forms.write(state | more, tmp_path / "c.pt"), LABELS, spiece)
    assert all(name in read.dropped[0] for name in more)


@pytest.mark.parametrize("head", ["cls", "predictions", "model.0"])
def test_the_head_may_have_a_name_of_pretraining(state, spiece, tmp_path, head):
    assert convert(forms.write(forms.renamed(state, head=head), tmp_path / "c.pt"), LABELS, spiece).head == head


def test_encoder_and_head_may_be_saved_apart(state, stock, spiece, tmp_path):
    parts = {
        part: {name.removeprefix(f"{part}."): weight for name, weight in state.items() if name.startswith(part)}
        for part in ("bert", "classifier")
    }
    torch.save({**parts, "epoch": 3}, tmp_path / "c.pt")
    folder = converted_folder(tmp_path / "c.pt", tmp_path / "model", tokenizer=spiece)
    assert np.abs(probabilities(folder) - expected(stock, spiece)).max() < 1e-5


def test_a_folder_of_the_trainer_needs_no_options_but_the_tokenizer(stock, spiece, tmp_path):
    stock.config.id2label = dict(enumerate(LABELS))
    stock.save_pretrained(tmp_path / "checkpoint-500")
    torch.save({"state": {}}, tmp_path / "checkpoint-500" / "optimizer.pt")
    read = convert(tmp_path / "checkpoint-500", None, spiece)
    assert read.labels == LABELS
    assert not read.assumed


def test_the_temperature_and_the_context_of_a_model_folder_are_kept(change_config, spiece, tmp_path):
    folder = change_config(emojob_temperature=1.5, emojob_context="previous")
    read = convert(folder, None)
    assert (read.temperature, read.context) == (1.5, "previous")


def test_shards_are_read(stock, spiece, tmp_path):
    stock.save_pretrained(tmp_path / "shards", max_shard_size="1MB")
    assert (tmp_path / "shards" / "model.safetensors.index.json").exists()
    folder = converted_folder(tmp_path / "shards", tmp_path / "model", tokenizer=spiece)
    assert np.abs(probabilities(folder) - expected(stock, spiece)).max() < 1e-5


def test_shards_of_earlier_transformers_are_read(stock, state, spiece, tmp_path):
    names = sorted(state)
    shards = [f"pytorch_model-0000{i}-of-00002.bin" for i in (1, 2)]
    for i, shard in enumerate(shards):
        torch.save({name: state[name] for name in names[i::2]}, tmp_path / shard)
    index = {"weight_map": {name: shards[i % 2] for i, name in enumerate(names)}}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    for checkpoint in (tmp_path, tmp_path / shards[0]):
        assert convert(checkpoint, LABELS, spiece).head == "classifier"
    (tmp_path / shards[1]).unlink()
    assert f"lacks {shards[1]}, which" in refusal(tmp_path, tokenizer=spiece)
    (tmp_path / "pytorch_model.bin.index.json").unlink()
    assert "one of several files" in refusal(tmp_path / shards[0], tokenizer=spiece)


def test_a_pickle_beside_the_weights_is_no_candidate(state, spiece, tmp_path):
    (tmp_path / "vocab.pkl").write_bytes(pickle.dumps({}))
    forms.write(state, tmp_path / "c.pt")
    assert convert(tmp_path, LABELS, spiece).head == "classifier"
    (tmp_path / "c.pt").unlink()
    (tmp_path / "vocab.pkl").write_bytes(pickle.dumps(state))
    assert convert(tmp_path, LABELS, spiece).head == "classifier"


def test_the_folders_of_the_trainer_are_named(stock, spiece, tmp_path):
    for step in (1000, 500):
        stock.save_pretrained(tmp_path / f"checkpoint-{step}")
    torch.save({}, tmp_path / "training_args.bin")
    said = refusal(tmp_path, tokenizer=spiece)
    assert "the folders checkpoint-500, checkpoint-1000 do" in said
    assert str(tmp_path / "checkpoint-1000") in said


def test_the_base_gives_the_heads_and_the_tokenizer(tiny_model, tmp_path, make_model):
    model = BertForSequenceClassification.from_pretrained(tiny_model).eval()
    file = forms.write(model.state_dict(), tmp_path / "c.pt")
    with pytest.raises(ModelError, match=r"hidden size 32, which is no multiple of 64.*--base"):
        convert(file, LABELS, tiny_model / "spiece.model")
    folder = converted_folder(file, tmp_path / "model", base=str(tiny_model))
    assert np.abs(probabilities(folder) - probabilities(tiny_model)).max() < 1e-6
    with pytest.raises(ModelError, match=r"intermediate_size 64, but config.json of the base model has 128"):
        convert(file, LABELS, base=str(make_model(intermediate_size=128)))


def changed(state: forms.State, factor: float = 1.01) -> forms.State:
    return {name: weight * factor for name, weight in state.items()}


@pytest.mark.parametrize("pack", [lambda one, two: {"fold0": one, "fold1": two}, lambda one, two: [one, two]])
def test_different_models_in_one_file_need_the_key_of_one(state, stock, spiece, tmp_path, pack):
    torch.save(pack(changed(state), state), tmp_path / "c.pt")
    said = refusal(tmp_path / "c.pt", tokenizer=spiece)
    assert "weights of 2 different models" in said
    last = re.search(r"under the keys \w+, (\w+): .* --key \w+$", said)[1]
    folder = converted_folder(tmp_path / "c.pt", tmp_path / "model", tokenizer=spiece, key=last)
    assert np.abs(probabilities(folder) - expected(stock, spiece)).max() < 1e-5
    with pytest.raises(OptionError, match=r"no model under the key fold9: give one of"):
        convert(tmp_path / "c.pt", LABELS, spiece, key="fold9")


def test_averaged_weights_beside_the_weights_are_noted(state, stock, spiece, tmp_path):
    torch.save({"model": state, "ema": {"shadow": changed(state)}}, tmp_path / "c.pt")
    read = convert(tmp_path / "c.pt", LABELS, spiece)
    assert "--key ema.shadow" in read.notes[0]
    assert read.found[0].startswith("c.pt, key model:")
    other = convert(tmp_path / "c.pt", LABELS, spiece, key="ema.shadow")
    assert torch.equal(other.weights["classifier.weight"], state["classifier.weight"] * 1.01)


def test_two_usual_keys_with_different_weights_are_refused(state, spiece, tmp_path):
    torch.save({"model": state, "state_dict": changed(state)}, tmp_path / "c.pt")
    assert "under the keys state_dict, model:" in refusal(tmp_path / "c.pt", tokenizer=spiece)


def test_a_copy_of_the_weights_is_no_other_model(state, spiece, tmp_path):
    torch.save({"model": state, "ema": forms.renamed(state, "module."), "last": [state]}, tmp_path / "c.pt")
    assert not convert(tmp_path / "c.pt", LABELS, spiece).notes


def test_a_key_is_refused_where_the_file_has_one_model(state, spiece, tmp_path):
    for name in ("c.pt", "c.safetensors"):
        with pytest.raises(OptionError, match="omit --key"):
            convert(forms.write(state, tmp_path / name), LABELS, spiece, key="model")


@pytest.fixture
def trained(stock, tmp_path):
    """A folder of the Trainer, with the names of the labels."""
    stock.config.id2label = dict(enumerate(LABELS))
    stock.config.label2id = {label: i for i, label in enumerate(LABELS)}
    stock.save_pretrained(tmp_path / "trained")
    return tmp_path / "trained"


@pytest.mark.parametrize(
    ("labels", "note"),
    [
        (LABELS[::-1], "in another order than id2label in config.json of the checkpoint (0 일상, 1 분노"),
        (tuple("abcdef"), "other names than id2label in config.json of the checkpoint (0 일상"),
        (LABELS, None),
        (None, None),
    ],
)
def test_labels_that_contradict_the_config_are_noted(trained, spiece, labels, note):
    notes = convert(trained, labels, spiece).notes
    assert len(notes) == (note is not None)
    assert note is None or (note in notes[0] and "--check FILE" in notes[0])


def test_a_base_with_other_labels_is_usual_but_another_order_is_noted(trained, state, spiece, tmp_path):
    file = forms.write(state, tmp_path / "c.pt")
    assert not convert(file, tuple("abcdef"), spiece, str(trained)).notes
    assert "in another order than" in convert(file, LABELS[::-1], spiece, str(trained)).notes[0]


@pytest.mark.parametrize("drop", ["classifier", "classifier pooler"])
def test_a_checkpoint_without_a_head_becomes_a_base_folder(state, stock, spiece, tmp_path, drop):
    kept = {name: weight for name, weight in state.items() if not any(part in name for part in drop.split())}
    file = forms.write(forms.with_buffers(forms.renamed(kept, "module.")), tmp_path / "c.pt", "model_state_dict")
    read = convert(file, None, spiece)
    assert (read.head, read.labels) == (None, ())
    with new_model_folder(tmp_path / "base", read):
        pass
    base = load_base(str(tmp_path / "base"), LABELS, seed=1)
    assert torch.equal(base.classifier.encoder.words.weight, state["bert.embeddings.word_embeddings.weight"])
    assert any("no pooler" in note for note in base.notes) == ("pooler" in drop)
    again = BertModel.from_pretrained(tmp_path / "base")
    assert torch.equal(again.encoder.layer[1].output.dense.weight, state["bert.encoder.layer.1.output.dense.weight"])


def test_a_tokenizer_beside_the_checkpoint_is_found(state, spiece, tmp_path):
    shutil.copy(spiece, tmp_path / "tokenizer_78b3253a26.model")
    read = convert(forms.write(state, tmp_path / "c.pt"), LABELS)
    assert f"tokenizer {tmp_path / 'tokenizer_78b3253a26.model'}" in read.found[0]


# -- refusals ----------------------------------------------------------------------------------------------------------


def refusal(checkpoint: Path, labels=LABELS, tokenizer=None, base=None) -> str:
    with pytest.raises((ModelError, OptionError)) as caught:
        convert(checkpoint, labels, tokenizer, base)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (("a", "b"), r"2 names .*6 outputs: give 6 names"),
        (("a", "b", "c", "d", "e", "a"), "the name a twice"),
        (("a", "b", "c", "d", "e", ""), "an empty name"),
        (None, "6 outputs without names: give 6 names"),
    ],
)
def test_labels_that_do_not_fit(state, spiece, tmp_path, labels, reason):
    assert re.search(reason, refusal(forms.write(state, tmp_path / "c.pt"), labels, spiece))


def without(part: str):
    return lambda state: {name: weight for name, weight in state.items() if part not in name}


def added(**weights: tuple[int, ...]):
    more = {name.replace("__", "."): torch.randn(*size) for name, size in weights.items()}
    return lambda state: state | more


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without("pooler"), "lacks BERT's pooler"),
        (without("classifier"), "base model without a classification head, so --labels name nothing: omit --labels"),
        (without("layer.0."), "layers 1, but"),
        (without("layer.1.output.dense.bias"), "bert.encoder.layer.1.output.dense.bias"),
        (without("embeddings.word"), "no weights of a BERT encoder"),
        (without("token_type"), "bert.embeddings.token_type_embeddings.weight"),
        (added(lstm__weight_ih_l0=(64, 64)), "lstm.weight_ih_l0"),
        (added(classifier__3__weight=(6, 64)), "1 weight outside"),
        (added(norm__weight=(64,), norm__bias=(64,)), "norm.weight"),
        (added(bert__encoder__layer__0__crossattention__self__query__weight=(64, 64)), "cross-attention"),
        (added(bert__encoder__layer__0__attention__self__distance_embedding__weight=(9, 64)), "relative position"),
        (added(bert__encoder__layer__0__attention__self__query__lora_A__weight=(4, 64)), "LoRA"),
        (added(ema__embeddings__word_embeddings__weight=(8002, 64)), "several different encoders"),
        (lambda state: {name.replace("bert.", "electra."): w for name, w in state.items()}, "kind electra"),
        (lambda state: {name.replace("bert.encoder", "bert.transformer"): w for name, w in state.items()},
         "DistilBERT"),
        (lambda state: state | {"classifier.weight": torch.zeros(1, 64), "classifier.bias": torch.zeros(1)},
         "one output"),
        (lambda state: state | {"classifier.bias": torch.full((6,), float("nan"))}, "NaN"),
        (lambda state: state | {"bert.pooler.dense.weight": torch.zeros(64, 64, dtype=torch.int8)}, "quantized"),
        (lambda state: state | {"bert.encoder.layer.0.attention.self.key.weight": torch.zeros(32, 64)}, "pruned"),
        (lambda state: forms.with_more_rows(state, 24_000), "32,002: give the tokenizer of the training"),
        (lambda state: state | {"bert.embeddings.token_type_embeddings.weight": torch.zeros(1, 64)}, "RoBERTa"),
    ],
)  # fmt: skip
def test_what_cannot_be_computed(state, spiece, tmp_path, change, reason):
    assert reason in refusal(forms.write(change(state), tmp_path / "c.pt"), tokenizer=spiece)


def test_a_missing_tokenizer_is_named_with_its_source(state, tmp_path):
    said = refusal(forms.write(state, tmp_path / "c.pt"))
    assert "--tokenizer FILE" in said
    assert "https://huggingface.co/skt/kobert-base-v1" in said


def test_a_smaller_vocabulary_than_the_tokenizer(state, spiece, tmp_path):
    state["bert.embeddings.word_embeddings.weight"] = state["bert.embeddings.word_embeddings.weight"][:8000]
    assert "8,002 pieces" in (said := refusal(forms.write(state, tmp_path / "c.pt"), tokenizer=spiece))
    assert "8,000" in said


def test_a_whole_model_runs_nothing_and_names_the_line_that_saves_its_weights(stock, spiece, tmp_path):
    torch.save(stock, tmp_path / "whole.pt")
    torch.save({"model": stock, "epoch": 1}, tmp_path / "inside.pt")
    for name in ("whole.pt", "inside.pt"):
        said = refusal(tmp_path / name, tokenizer=spiece)
        assert "BertForSequenceClassification" in said
        assert "torch.save(model.state_dict()" in said


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_of_the_weights_is_read(state, stock, spiece, tmp_path, protocol):
    (tmp_path / "c.pkl").write_bytes(pickle.dumps({"model": state, "epoch": 3}, protocol))
    folder = converted_folder(tmp_path / "c.pkl", tmp_path / "model", tokenizer=spiece)
    assert np.abs(probabilities(folder) - expected(stock, spiece)).max() < 1e-5


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_of_a_whole_model_names_the_line_that_saves_its_weights(stock, spiece, tmp_path, protocol):
    (tmp_path / "c.pkl").write_bytes(pickle.dumps(stock, protocol))
    said = refusal(tmp_path / "c.pkl", tokenizer=spiece)
    assert "BertForSequenceClassification" in said
    assert "torch.save(model.state_dict()" in said


@pytest.mark.filterwarnings("error")
def test_weights_with_gradients_are_read_without_a_warning(stock, spiece, tmp_path):
    torch.save(dict(stock.named_parameters()), tmp_path / "c.pt")
    assert convert(tmp_path / "c.pt", LABELS, spiece).head == "classifier"


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, function=os.system, argument="touch run-by-the-pickle") -> None:
        self.call = function, (argument,)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize(
    "payload",
    [Payload(), Payload(eval, "open('run-by-the-pickle', 'w')"), Payload(Path.touch, Path("run-by-the-pickle"))],
)
def test_a_malicious_pickle_runs_nothing(state, spiece, tmp_path, monkeypatch, legacy, payload):
    monkeypatch.chdir(tmp_path)
    for number, content in enumerate(
        (payload, {"model": state, "x": payload}, {**state, "x": payload}, {"a": [payload]})
    ):
        file = tmp_path / f"{number}.pt"
        torch.save(content, file, _use_new_zipfile_serialization=not legacy)
        pickled = tmp_path / f"{number}.pkl"
        pickled.write_bytes(pickle.dumps(content, 2 if legacy else 5))
        for one in (file, pickled):
            with contextlib.suppress(ModelError):
                convert(one, LABELS, spiece)
            assert not (tmp_path / "run-by-the-pickle").exists()


def test_a_pickle_that_names_a_command_is_refused(state, spiece, tmp_path):
    torch.save({"model": state, "x": Payload()}, tmp_path / "c.pt")
    assert "would call posix.system" in refusal(tmp_path / "c.pt", tokenizer=spiece)


def test_files_of_other_programs_are_named(state, spiece, tmp_path):
    files = {
        "model.h5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "Keras"),
        "kobert.params": (b"\x12\x01" + bytes(99), "MXNet"),
        "text.pt": (b"hello", "no file of torch.save"),
        "pickled.pt": (pickle.dumps({"a": 1}), "no weights of a BERT encoder"),
        "empty.pt": (b"", "is empty: copy or download"),
        "pointer.pt": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 9\n", "`git lfs pull`"),
        "page.pt": (b"\n<!DOCTYPE html><html>", "a web page"),
        "packed.pt.gz": (b"\x1f\x8b\x08" + bytes(99), "gunzip"),
        "arrays.pkl": (pickle.dumps({"a": np.zeros(3)}), "contains NumPy arrays"),
    }
    for name, (content, reason) in files.items():
        (tmp_path / name).write_bytes(content)
        assert reason in refusal(tmp_path / name, tokenizer=spiece)
    file = forms.write(state, tmp_path / "cut.pt")
    file.write_bytes(file.read_bytes()[:100_000])
    assert "cut.pt" in refusal(file, tokenizer=spiece)


@pytest.mark.parametrize("legacy", [True, False])
@examples(40)
@given(seed=st.integers(0, 2**32))
def test_a_damaged_file_is_refused_in_one_line_or_read_whole(legacy, small, seed):
    chance = random.Random(seed)
    file, spiece, saved = small
    content = bytearray(saved[legacy])
    for _ in range(chance.choice((1, 3))):
        content[chance.randrange(len(content) if chance.random() < 0.3 else 3000)] = chance.randrange(256)
    file.write_bytes(content[: chance.choice((len(content), len(content), chance.randrange(len(content))))])
    with contextlib.suppress(ModelError, OptionError):
        convert(file, LABELS, spiece)


def test_a_changed_number_in_a_zip_file_is_noticed(state, spiece, tmp_path):
    file = forms.write(state, tmp_path / "c.pt")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert "CRC" in refusal(file, tokenizer=spiece)


def test_methods_that_a_file_replaces_are_not_called(state, spiece, tmp_path):
    class Hostile:
        def __reduce__(self):
            return collections.OrderedDict, (), {"items": "x", "keys": "x", "values": "x"}, None, iter(state.items())

    torch.save(Hostile(), tmp_path / "c.pt")
    assert convert(tmp_path / "c.pt", LABELS, spiece).head == "classifier"


def test_a_torchscript_program_runs_nothing(tmp_path, spiece):
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), tmp_path / "c.pt")
    assert "TorchScript" in refusal(tmp_path / "c.pt", tokenizer=spiece)


def test_a_folder_with_several_checkpoints_is_refused(state, spiece, tmp_path):
    for name in ("a.pt", "b.pt"):
        forms.write(state, tmp_path / name)
    assert "a.pt, b.pt" in refusal(tmp_path, tokenizer=spiece)


def test_nothing_is_left_if_the_check_fails(state, spiece, tmp_path):
    read = convert(forms.write(state, tmp_path / "c.pt"), LABELS, spiece)
    with pytest.raises(ZeroDivisionError), new_model_folder(tmp_path / "out", read):
        raise ZeroDivisionError
    assert [file.name for file in tmp_path.iterdir()] == ["c.pt"]
