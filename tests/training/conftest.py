"""Fixtures of the training tests: texts of a small vocabulary, their tokenizer, recipes that take seconds."""

import csv
import dataclasses
import itertools
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sentencepiece
import tokenizers
import torch
import transformers

from emojob.pipeline.models.bert import BertShape
from emojob.pipeline.models.kobert_tokenizer import KoBertTokenizer
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.data.published import GOEMOTIONS_LABELS, KOTE_LABELS
from emojob.training.default_model.corpora import FILES
from emojob.training.default_model.recipe import Phase, read_recipe
from emojob.training.finetune.recipe import TrainRecipe, read_train_recipe

# Each class has its own words, so a model can learn it.
WORDS = {
    "일상": "회의 점심 버스 날씨 서류",
    "분노": "화나 짜증 열받아 어이없어 괘씸해",
    "불안": "무서워 걱정돼 떨려 초조해 불안해",
    "슬픔": "슬퍼 눈물나 서러워 아쉬워 안타까워",
    "기쁨": "기뻐 행복해 신나 고마워 좋아",
    "우울": "지쳤어 막막해 귀찮아 힘들어 절망이야",
}
OPENINGS = ["오늘", "어제", "정말", "그냥", "또", "나는", "우리", "왜", "지금", "아까"]

KOTE_NAMES = {"일상": "없음", "분노": "짜증", "불안": "불안/걱정", "슬픔": "슬픔", "기쁨": "기쁨", "우울": "절망"}
GOEMOTIONS_NAMES = dict(zip(DEFAULT_LABELS, ("neutral", "anger", "fear", "sadness", "joy", "remorse"), strict=True))


@pytest.fixture(scope="module", autouse=True)
def _one_thread_for_what_a_module_shares() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Sums depend on the number of threads, and scoring changes that number."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def utterances() -> list[tuple[str, str]]:
    """(text, class): 50 texts of each class."""
    return [
        (f"{opening} {word}", label)
        for label, words in WORDS.items()
        for opening, word in itertools.product(OPENINGS, words.split())
    ]


@pytest.fixture(scope="session")
def spiece(utterances, tmp_path_factory) -> Path:
    """A SentencePiece model with KoBERT's special tokens and about a hundred pieces."""
    path = tmp_path_factory.mktemp("spiece") / "spiece"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([text for text, _ in utterances]), model_prefix=str(path), vocab_size=150,
        hard_vocab_limit=False, unk_id=0, unk_piece="[UNK]", pad_id=1, pad_piece="[PAD]", bos_id=-1, eos_id=-1,
        control_symbols=["[CLS]", "[SEP]", "[MASK]"], num_threads=1, minloglevel=2,
    )  # fmt: skip
    return path.with_suffix(".model")


@pytest.fixture(scope="session")
def tokenizer(spiece) -> KoBertTokenizer:
    return KoBertTokenizer(spiece, threads=1)


@pytest.fixture(scope="session")
def shape(tokenizer) -> BertShape:
    return BertShape(tokenizer.vocab_size, hidden_size=32, layers=1, heads=2, intermediate_size=64, max_positions=32)


@pytest.fixture(scope="session")
def base(golden, tmp_path_factory) -> Path:
    """A folder with a small encoder as BertModel stores it: no head, weight names without `bert.`."""
    folder = tmp_path_factory.mktemp("base")
    torch.manual_seed(0)
    sizes = transformers.BertConfig(
        vocab_size=8002, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=32, pad_token_id=1,
    )  # fmt: skip
    transformers.BertModel(sizes).save_pretrained(folder)
    shutil.copy(golden / "spiece.model", folder / "spiece.model")
    return folder


@pytest.fixture(scope="session")
def train_recipe() -> TrainRecipe:
    """A recipe of `emojob train` that learns the utterances above in seconds."""
    default = read_train_recipe()
    return TrainRecipe(
        training=dataclasses.replace(
            default.training, epochs=8, batch=8, learning_rate=5e-3, layer_decay=1.0, label_smoothing=0.0,
            class_weights=0.0, patience=0, log_every=4, max_length=16,
            precision="fp32",
        ),
        split=dataclasses.replace(default.split, test=0.2, validation=0.2, how="stratified"),
    )  # fmt: skip


@pytest.fixture(scope="session")
def annotated_csv(utterances, tmp_path_factory) -> Path:
    """The utterances in the notebook's format: CSV in cp949 with the columns sentiment and user."""
    file = tmp_path_factory.mktemp("annotated") / "annotated.csv"
    with file.open("w", encoding="cp949", newline="") as handle:
        csv.writer(handle).writerows([("sentiment", "user"), *((label, text) for text, label in utterances)])
    return file


@pytest.fixture(scope="session")
def teacher_base(utterances, tmp_path_factory) -> Path:
    """A folder with a small sentence encoder; its vocabulary is the words of the utterances."""
    folder = tmp_path_factory.mktemp("teacher")
    words = sorted({word for text, _ in utterances for word in text.split()})
    vocabulary = {piece: i for i, piece in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "unused", "ask", *words])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    torch.manual_seed(1)
    sizes = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=32, pad_token_id=0,
    )  # fmt: skip
    transformers.BertModel(sizes).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def recipe(shape, teacher_base):
    """The default model's recipe with small sizes."""
    default = read_recipe()
    phase = Phase(
        "all at once", epochs=10, learning_rate=5e-3,
        shares={"kote": 2.0, "goemotions": 1.0, "dialogue": 0.0, "reviews": 0.5},
        weights={"classes": 1.0, "kote": 1.0, "goemotions": 1.0, "rating": 0.5},
    )  # fmt: skip
    return dataclasses.replace(
        default,
        shape=shape,
        corpus=dataclasses.replace(default.corpus, max_length=16, held_out=60),
        pretraining=dataclasses.replace(default.pretraining, cycles=(4000,), warmup=100, batch_tokens=256),
        fine_tuning=dataclasses.replace(default.fine_tuning, batch_tokens=128, average=0.9, phases=(phase,)),
        teacher=dataclasses.replace(
            default.teacher,
            base=str(teacher_base),
            prefix="ask ",
            max_length=16,
            reviews=100,
            average=0.9,
            phases=(phase,),
        ),
        distillation=dataclasses.replace(default.distillation, phases=(dataclasses.replace(phase, epochs=2),)),
    )


@pytest.fixture(scope="session")
def data(utterances, spiece, tmp_path_factory) -> Path:
    """A data folder with all corpora of the default model, in their publishers' formats."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "tokenizer").mkdir()
    (folder / FILES["spiece"]).write_bytes(spiece.read_bytes())
    texts = [text for text, _ in utterances]
    ratings = np.array([10 if label == "기쁨" else 1 for _, label in utterances], np.int64)
    pq.write_table(pa.table({"review": texts, "rating": ratings}), folder / FILES["reviews"])
    kote = [(i, text, KOTE_LABELS.index(KOTE_NAMES[label])) for i, (text, label) in enumerate(utterances)]
    goemotions = [(text, GOEMOTIONS_LABELS.index(GOEMOTIONS_NAMES[label]), "id") for text, label in utterances]
    _write_tsv(folder / FILES["kote"], kote)
    for part in ("goemotions", "goemotions_dev", "goemotions_test"):
        _write_tsv(folder / FILES[part], goemotions)
    with (folder / FILES["chat"]).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("Q", "A", "label"), ("지금 뭐 해", "회의 가는 버스", 0), ("왜 떨려", "", 1)])
    return folder


def _write_tsv(path: Path, rows: list[tuple[object, ...]]) -> None:
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
