"""What tests share: a tiny KoBERT-shaped model, made on the spot with stock transformers."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from schemas.labels import DEFAULT_LABELS

GOLDEN = Path(__file__).parent / "pipeline" / "golden"


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


@pytest.fixture
def own_model(tiny_model, tmp_path) -> Path:
    """A copy of the tiny model that a test may spoil."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


@pytest.fixture
def change_config(own_model) -> Callable[..., Path]:
    """Change keys of the copy's config.json."""

    def change(**values: object) -> Path:
        file = own_model / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **values}))
        return own_model

    return change
