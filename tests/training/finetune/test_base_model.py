"""A base may be any encoder with BERT's layers; the converted BERT gives the same hidden states."""

import dataclasses
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertModel,
    ElectraConfig,
    ElectraForPreTraining,
    ElectraModel,
    RobertaConfig,
    RobertaModel,
)

from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.models import model
from emojob.schemas.errors import ModelError
from emojob.schemas.options import ModelOptions
from emojob.training.data.corpus import CorpusOptions
from emojob.training.finetune.base_model import load_base
from emojob.training.finetune.options import TrainOptions
from emojob.training.finetune.run import train_model

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
KINDS = {
    "bert": (BertModel, BertConfig, {"pad_token_id": 0}),
    "electra": (ElectraModel, ElectraConfig, {"pad_token_id": 0, "embedding_size": 32}),
    "electra to be pre-trained": (ElectraForPreTraining, ElectraConfig, {"pad_token_id": 0, "embedding_size": 32}),
    "roberta": (RobertaModel, RobertaConfig, {"pad_token_id": 0, "type_vocab_size": 1, "max_position_embeddings": 33}),
}
LABELS = ("기쁨", "슬픔")


@pytest.fixture
def make_base(wordpiece, tmp_path):
    """A factory of encoder folders with random weights and WordPiece."""

    def make(kind: str, **changed: object):
        of, config, values = KINDS[kind]
        pieces = len((wordpiece / "vocab.txt").read_text(encoding="utf-8").splitlines())
        torch.manual_seed(0)
        encoder = of(config(vocab_size=pieces, **{**SIZES, "max_position_embeddings": 32, **values, **changed})).eval()
        encoder.save_pretrained(tmp_path / "base")
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(wordpiece / name, tmp_path / "base" / name)
        return tmp_path / "base", encoder

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_hidden_states_equal_those_of_transformers(make_base, kind):
    folder, encoder = make_base(kind)
    base = load_base(str(folder), LABELS, seed=1)
    ids = torch.tensor([[2, 7, 8, 9, 10, 3], [2, 11, 12, 7, 7, 3]])
    body = getattr(encoder, "electra", encoder)
    with torch.inference_mode():
        theirs = body(ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        ours = base.classifier.encoder(ids)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_an_electra_with_smaller_embeddings_is_refused(make_base):
    folder, _ = make_base("electra", embedding_size=16)
    with pytest.raises(ModelError, match="embedding_size 16 and hidden_size 32"):
        load_base(str(folder), LABELS, seed=1)


def test_another_model_type_is_refused_with_the_supported_ones(make_base):
    folder, _ = make_base("bert")
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"bert"', '"t5"'))
    with pytest.raises(ModelError, match="'bert', 'electra', 'roberta'"):
        load_base(str(folder), LABELS, seed=1)


@pytest.mark.parametrize("kind", ["electra", "roberta"])
def test_a_model_trained_from_it_is_a_bert_that_emojob_and_transformers_open(
    make_base, kind, annotated_csv, utterances, train_recipe, tmp_path
):
    folder, _ = make_base(kind)
    out = tmp_path / "model"
    train_model(TrainOptions((annotated_csv,), out, base=str(folder), device="cpu"), train_recipe)
    texts = [text for text, _ in utterances]
    scored = Scorer.load(str(out), ModelOptions(max_length=16, precision="fp32")).score(texts)
    stock = AutoModelForSequenceClassification.from_pretrained(out).eval()
    batch = AutoTokenizer.from_pretrained(out)(texts, padding=True, truncation=True, max_length=16, return_tensors="pt")
    with torch.inference_mode():
        theirs = stock(**batch).logits.argmax(1).tolist()
    assert [stock.config.id2label[i] for i in theirs] == scored.labels
    assert model.load(str(out)).shape.max_positions == 32


def test_a_base_with_one_segment_cannot_learn_pairs(make_model, options, train_recipe, tmp_path):
    file = tmp_path / "pairs.csv"
    file.write_text("\n".join(["conversation_id,text,label", *(
        f"c{n // 2},오늘 {n},{'가나'[n % 3 % 2]}" for n in range(40))]), encoding="utf-8")  # fmt: skip
    changed = dataclasses.replace(
        options, data=(file,), base=str(make_model(type_vocab_size=1)), corpus=CorpusOptions(context="previous")
    )
    with pytest.raises(ModelError, match="--context previous needs a base model with 2 segments"):
        train_model(changed, train_recipe)


@pytest.mark.parametrize("known", [{"x": "기쁨", "y": "슬픔"}, {"0": "기쁨", "7": "슬픔"}, {"0": ["기쁨"]}])
def test_invalid_label_ids_mean_a_new_head(make_model, known):
    folder = make_model(labels=("기쁨", "슬픔"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "id2label": known}))
    assert load_base(str(folder), ("기쁨", "슬픔"), seed=1).notes == ()


def test_an_empty_base_name_is_refused(options, train_recipe):
    with pytest.raises(ModelError, match="--base is empty"):
        train_model(dataclasses.replace(options, base=" "), train_recipe)


def test_a_classifier_with_the_same_labels_keeps_its_head_in_any_order(make_model, golden):
    folder = make_model(labels=("나", "가"))
    base = load_base(str(folder), ("가", "나"), seed=1)
    stored = load_file(folder / "model.safetensors")
    assert torch.equal(base.classifier.head.weight, stored["classifier.weight"].flip(0))
    assert "head is trained further" in base.notes[0]
    other = load_base(str(folder), ("가", "다"), seed=1)
    assert not torch.equal(other.classifier.head.weight, stored["classifier.weight"].flip(0))


def test_a_folder_that_is_not_a_model_is_refused(options, train_recipe, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"lacks config\.json"):
        train_model(dataclasses.replace(options, base=str(tmp_path / "empty")), train_recipe)


def test_a_missing_base_names_the_option(options, train_recipe):
    with pytest.raises(ModelError, match=r"--base \./nowhere does not exist"):
        train_model(dataclasses.replace(options, base="./nowhere"), train_recipe)
