"""What tests share: a tiny KoBERT-shaped model, made on the spot with stock transformers."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from emojob.pipeline.inference import engine_choice
from emojob.pipeline.models.model_folder import KNOWN_SENTENCES
from emojob.pipeline.storage.object_store import _filesystem
from emojob.pipeline.system.hardware import cores
from emojob.schemas.labels import DEFAULT_LABELS
from tests.stores import CLIENT, Store

GOLDEN = Path(__file__).parent / "pipeline" / "models" / "golden"


#: Files whose tests take longest: begun first, so that in the end no core waits for another.
_LONG = (
    "test_docs.py",
    "test_ray_executor.py",
    "test_object_store.py",
    "test_kills.py",
    "test_failures.py",
    "test_limits.py",
)


def pytest_xdist_auto_num_workers() -> int:
    """What -n auto means: one more than there are cores, for tests often wait for processes that they started."""
    return cores() + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes long before the rest."""
    items.sort(key=lambda item: _LONG.index(item.path.name) if item.path.name in _LONG else len(_LONG))


@pytest.fixture(autouse=True)
def _no_engine_is_measured(monkeypatch, request, tmp_path_factory) -> None:
    """Measuring takes seconds for each model: without the mark `measured` the first in question is taken."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("EMOJOB_ENGINE", "torch")  # for commands, their processes among them
    if "measured" not in request.keywords:
        monkeypatch.setattr(
            engine_choice,
            "measure",
            lambda model, found, *rest: dict.fromkeys(map(engine_choice.choice_key, found), 1.0),
        )
        monkeypatch.setattr(engine_choice, "_speed", lambda *given: 1.0)


@pytest.fixture(scope="session")
def server() -> Iterator[Store]:
    """A server of objects, for those who tell their clients of it themselves."""
    made = Store()
    yield made
    made.end()


@pytest.fixture
def store(server, monkeypatch, tmp_path) -> Iterator[Store]:
    """A server of objects, and what its clients need to know in the environment."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    files = {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    for name, value in {**CLIENT, **files, "AWS_ENDPOINT_URL": server.url}.items():
        monkeypatch.setenv(name, value)
    _filesystem.cache_clear()
    yield server
    server.fault = lambda seen: ""
    _filesystem.cache_clear()


@pytest.fixture(scope="session")
def make_model(tmp_path_factory) -> Callable[..., Path]:
    """A factory of model folders with random weights: make_model(labels=..., seed=..., **config)."""
    from transformers import BertConfig, BertForSequenceClassification

    def make(labels: tuple[str, ...] = DEFAULT_LABELS, seed: int = 0, **config: object) -> Path:
        folder = tmp_path_factory.mktemp("model")
        torch.manual_seed(seed)
        sizes = {
            "vocab_size": 8002,
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 64,
            "pad_token_id": 1,
            # wide enough that the labels of a random model differ from text to text
            "initializer_range": 0.4,
        }
        model = BertForSequenceClassification(
            BertConfig(**{**sizes, **config}, id2label=dict(enumerate(labels)), num_labels=len(labels))
        )
        model.save_pretrained(folder)
        shutil.copy(GOLDEN / "spiece.model", folder / "spiece.model")
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_model(make_model) -> Path:
    """A model folder with random weights and the default labels; not to be changed by a test."""
    return make_model()


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder with the SentencePiece models and the ids made with the original tokenizer."""
    return GOLDEN


@pytest.fixture(scope="session")
def golden_pieces() -> list[str]:
    """The pieces of the default model's SentencePiece model, in id order."""
    import sentencepiece

    pieces = sentencepiece.SentencePieceProcessor(model_file=str(GOLDEN / "spiece.model"))
    return [pieces.IdToPiece(i) for i in range(len(pieces))]


@pytest.fixture(scope="session")
def wordpiece(tmp_path_factory) -> Path:
    """A folder with a small WordPiece tokenizer as Korean BERT models bring it: tokenizer.json, vocab.txt, settings."""
    from tokenizers.implementations import BertWordPieceTokenizer
    from transformers import BertTokenizer

    folder = tmp_path_factory.mktemp("wordpiece")
    made = BertWordPieceTokenizer(lowercase=False, strip_accents=False)
    made.train_from_iterator([*KNOWN_SENTENCES, "오늘은 정말 기뻤어", "배송이 너무 늦어서 속이 타요"], min_frequency=1)
    made.save_model(str(folder))
    BertTokenizer.from_pretrained(folder, do_lower_case=False, strip_accents=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def bert(make_model, wordpiece) -> Path:
    """A model folder of a BERT with WordPiece and random weights; not to be changed by a test."""
    pieces = len((wordpiece / "vocab.txt").read_text(encoding="utf-8").splitlines())
    folder: Path = make_model(vocab_size=pieces + 7, pad_token_id=0)
    (folder / "spiece.model").unlink()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(wordpiece / name, folder / name)
    return folder


@pytest.fixture
def own_model(tiny_model, tmp_path) -> Path:
    """A copy of the tiny model that a test may spoil, without what was worked out for it."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model", ignore=shutil.ignore_patterns("openvino")))


@pytest.fixture
def change_config(own_model) -> Callable[..., Path]:
    """Change keys of the copy's config.json."""

    def change(**values: object) -> Path:
        file = own_model / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **values}))
        return own_model

    return change


@pytest.fixture
def emojob(tiny_model, monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Run a command in this process with the tiny model: (exit code, standard output, standard error)."""
    from emojob.jobs.main import main

    monkeypatch.setenv("EMOJOB_MODEL", str(tiny_model))

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(one) for one in arguments])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run
