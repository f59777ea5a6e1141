"""Fixtures that all tests share, the order of the tests, and how many examples a property test tries."""

import gc
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

# OpenMP threads sleep while they wait, also in processes that tests start. By default they spin, and with several
# workers on two cores that takes most of the time. Set before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest
import torch
from hypothesis import settings

from emojob.pipeline.inference import engine_rates
from emojob.pipeline.models.model_folder import KNOWN_SENTENCES
from emojob.pipeline.storage.object_store import _filesystem
from emojob.pipeline.system.hardware import cores
from emojob.schemas.labels import DEFAULT_LABELS
from tests.stores import CLIENT, Store

GOLDEN = Path(__file__).parent / "pipeline" / "models" / "golden"

# Values of --hypothesis-profile. max_examples is the percentage of a test's own number of examples: tests/examples.py.
# CI tries the same examples in each run, so that a change is not refused for what it did not touch. `make torture`
# searches: it tries other examples each time.
for _name, _percent in (("fast", 10), ("slow", 33), ("torture", 1_000)):
    settings.register_profile(_name, max_examples=_percent, deadline=None, derandomize=_name != "torture")
settings.load_profile("fast")

#: Files that take longest. They run first, so that no worker waits for another one at the end.
_LONG = (
    "test_docs.py",
    "test_ray_executor.py",
    "test_object_errors.py",
    "test_object_store.py",
    "test_archive_commands.py",
    "test_lease.py",
    "test_kills.py",
    "test_failures.py",
    "test_limits.py",
)


def pytest_xdist_auto_num_workers() -> int:
    """Return the number of workers for -n auto: one more than there are cores, as many tests wait for a process."""
    return cores() + 1


def pytest_collection_finish() -> None:
    """Exempt the imported modules from garbage collection: they stay, and accelerate collects before each training."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the tests of long files to the front."""
    items.sort(key=lambda item: _LONG.index(item.path.name) if item.path.name in _LONG else len(_LONG))


@pytest.fixture(autouse=True)
def _no_engine_is_measured(monkeypatch, request, tmp_path_factory) -> None:
    """Take the first candidate of the engines without measuring, unless the test has the mark `measured`.

    Measuring takes seconds for each model.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")  # the developer's locale may be Korean
    monkeypatch.setenv("EMOJOB_ENGINE", "torch")  # for commands, also those in a process of their own
    if "measured" not in request.keywords:
        monkeypatch.setattr(
            engine_rates,
            "measure_rates",
            lambda model, found, *rest: dict.fromkeys(map(engine_rates.choice_key, found), 1.0),
        )
        monkeypatch.setattr(engine_rates, "engine_rate", lambda *given: 1.0)


@pytest.fixture(scope="session")
def server() -> Iterator[Store]:
    """An S3 server. Its clients are not configured; see `store`."""
    started = Store()
    yield started
    started.end()


@pytest.fixture
def store(server, monkeypatch, tmp_path) -> Iterator[Store]:
    """The S3 server, with address and credentials in the environment."""
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
    """make_model(labels, seed, **config): write a model folder with random weights and return its path."""
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
    """A model folder with random weights and the default labels. Read-only; see `own_model`."""
    return make_model()


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder with SentencePiece models, and with ids that the original tokenizer gave."""
    return GOLDEN


@pytest.fixture(scope="session")
def golden_pieces() -> list[str]:
    """The pieces of the default model's SentencePiece model, in the order of their ids."""
    import sentencepiece

    pieces = sentencepiece.SentencePieceProcessor(model_file=str(GOLDEN / "spiece.model"))
    return [pieces.IdToPiece(i) for i in range(len(pieces))]


@pytest.fixture(scope="session")
def wordpiece(tmp_path_factory) -> Path:
    """A folder with a small WordPiece tokenizer in the files that Korean BERT models have."""
    from tokenizers.implementations import BertWordPieceTokenizer
    from transformers import BertTokenizer

    folder = tmp_path_factory.mktemp("wordpiece")
    tokenizer = BertWordPieceTokenizer(lowercase=False, strip_accents=False)
    tokenizer.train_from_iterator(
        [*KNOWN_SENTENCES, "오늘은 정말 기뻤어", "배송이 너무 늦어서 속이 타요"], min_frequency=1
    )
    tokenizer.save_model(str(folder))
    BertTokenizer.from_pretrained(folder, do_lower_case=False, strip_accents=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def bert(make_model, wordpiece) -> Path:
    """A model folder of a BERT with WordPiece and random weights. Read-only."""
    pieces = len((wordpiece / "vocab.txt").read_text(encoding="utf-8").splitlines())
    folder: Path = make_model(vocab_size=pieces + 7, pad_token_id=0)
    (folder / "spiece.model").unlink()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(wordpiece / name, folder / name)
    return folder


@pytest.fixture
def own_model(tiny_model, tmp_path) -> Path:
    """A copy of the tiny model that a test may change, without its kept graphs and rates."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model", ignore=shutil.ignore_patterns("openvino")))


@pytest.fixture
def change_config(own_model) -> Callable[..., Path]:
    """change_config(**values): set keys in the config.json of `own_model` and return its folder."""

    def change(**values: object) -> Path:
        file = own_model / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **values}))
        return own_model

    return change


@pytest.fixture
def emojob(tiny_model, monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """emojob(*arguments): run a command in this process; return (exit code, standard output, standard error)."""
    from emojob.jobs.main import main

    monkeypatch.setenv("EMOJOB_MODEL", str(tiny_model))

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(one) for one in arguments])
        printed = capsys.readouterr()
        return ended.value.code, printed.out, printed.err

    return run
