"""A saved model folder loads in stock transformers and in emojob, with the same results."""

import json
import random

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from emojob.pipeline.models import model as models
from emojob.pipeline.models.bert import BertShape, Classifier
from emojob.pipeline.models.hf_tokenizer import stock_tokenizer
from emojob.pipeline.models.kobert_tokenizer import KoBertTokenizer
from emojob.pipeline.models.saving import Trained, write_model_folder
from emojob.pipeline.models.tokenizer import SPECIAL_TOKENS
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.default_model.make import rounded_to
from emojob.training.evaluation.predict import predict_logits

TEXTS = [
    "오늘은 정말 기뻤어",
    "  왜 그렇게\t말했어?  ",
    "1시 반에 만나요",
    "",
    "ㅋㅋㅋ [SEP] é 커피 ``진짜''",
    "혼자라서 슬퍼요 ㅠㅠ",
]


@pytest.fixture(scope="module")
def spiece(golden):
    return golden / "spiece.model"


@pytest.fixture(scope="module")
def written(spiece, tmp_path_factory):
    """Return a folder with random weights, and the objects that it was written from."""
    shape = BertShape(8002, hidden_size=16, layers=2, heads=2, intermediate_size=32, max_positions=80)
    torch.manual_seed(1)
    classifier = Classifier(shape, 6)
    for weight in classifier.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    trained = Trained(rounded_to(torch.bfloat16, classifier), shape, DEFAULT_LABELS, temperature=1.25)
    folder = tmp_path_factory.mktemp("written") / "model"
    write_model_folder(folder, trained, KoBertTokenizer(spiece), {"accuracy": 0.5}, "# A card\n")
    return folder, trained


def test_stock_transformers_gives_the_same_probabilities(written):
    folder, trained = written
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    batch = tokenizer(TEXTS, padding=True, truncation=True, max_length=64, return_tensors="pt")
    with torch.inference_mode():
        theirs = model(**batch).logits.softmax(1)
    ours = predict_logits(trained.classifier, KoBertTokenizer(folder / "spiece.model").encode(TEXTS))
    torch.testing.assert_close(torch.from_numpy(ours).softmax(1), theirs, atol=2e-5, rtol=0)
    assert [model.config.id2label[i] for i in range(6)] == list(DEFAULT_LABELS)


def test_emojob_loads_a_saved_folder(written):
    folder, trained = written
    model = models.load(str(folder))
    assert (model.labels, model.temperature, model.context) == (DEFAULT_LABELS, 1.25, "none")
    assert model.shape == trained.shape
    assert model.stored_in == torch.bfloat16
    for name, weight in trained.classifier.state_dict().items():
        assert torch.equal(weight, model.classifier.state_dict()[name]), name


def test_weights_are_stored_in_16_bits_with_the_metadata_of_transformers(written):
    with safe_open(written[0] / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.bfloat16}  # noqa: SIM118


def test_the_folder_has_the_usual_files_and_no_temporary_files(written):
    assert sorted(file.name for file in written[0].iterdir()) == [
        "README.md", "config.json", "metrics.json", "model.safetensors", "special_tokens_map.json", "spiece.model",
        "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip
    config = json.loads((written[0] / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["BertForSequenceClassification"]
    assert config["emojob_format"] == 1


def test_stock_ids_are_kobert_ids(written, spiece):
    folder, _ = written
    stock = AutoTokenizer.from_pretrained(folder)
    ours = KoBertTokenizer(spiece)
    chance = random.Random(6)
    alphabet = [
        chr(n) for n in (*range(32, 127), *range(0xAC00, 0xD7A4, 7), *range(0x3131, 0x3190), 0xA0, 0x2028, 0xE9)
    ]
    texts = TEXTS + ["".join(chance.choices(alphabet, k=chance.randint(1, 40))) for _ in range(500)]
    theirs = stock(texts)["input_ids"]
    # segmentations of equal score may differ, and the comma rule is missing
    same = sum(a == b for a, b in zip(theirs, ours.encode(texts, None).tolist(), strict=True))
    assert same >= 0.999 * len(texts)


def test_a_pair_has_segments_in_stock_transformers_as_well(written, spiece):
    stock = AutoTokenizer.from_pretrained(written[0])
    batch = stock("왜 울어?", "그냥 슬퍼서")
    ours = KoBertTokenizer(spiece).encode(["왜 울어?"], second=["그냥 슬퍼서"])
    assert batch["input_ids"] == ours.ids.tolist()
    assert batch["token_type_ids"] == ours.segments.tolist()


def test_a_special_token_in_a_dialogue_stays_text(written):
    stock = AutoTokenizer.from_pretrained(written[0])
    for token in SPECIAL_TOKENS:
        ids = stock(f"그 사람이 {token} 라고 했어")["input_ids"]
        assert stock.convert_tokens_to_ids(token) not in ids[1:-1]


def test_special_tokens_keep_their_ids(spiece):
    ids = [stock_tokenizer(spiece.read_bytes()).token_to_id(token) for token in SPECIAL_TOKENS]
    assert ids == [0, 1, 2, 3, 4]
