"""Fixtures of the fine-tuning tests: a trained model folder, options, and varied texts."""

from pathlib import Path

import numpy as np
import pytest
import torch

from emojob.training.finetune.options import TrainOptions
from emojob.training.finetune.run import train_model


@pytest.fixture
def options(annotated_csv, base, tmp_path) -> TrainOptions:
    return TrainOptions(data=(annotated_csv,), out=tmp_path / "model", base=str(base), device="cpu")


@pytest.fixture(scope="session")
def trained(annotated_csv, base, train_recipe, tmp_path_factory) -> Path:
    """A model folder of a run without interruption."""
    torch.set_num_threads(1)  # the module's own fixture comes later
    out = tmp_path_factory.mktemp("trained") / "model"
    train_model(TrainOptions((annotated_csv,), out, base=str(base), device="cpu"), train_recipe)
    return out


@pytest.fixture(scope="session")
def varied(utterances) -> list[str]:
    """5,000 short and long texts of words, random syllables, Latin, digits, signs and unusual spaces."""
    random = np.random.default_rng(3)
    words = sorted({word for text, _ in utterances for word in text.split()})
    others = ["ㅋㅋ", "ㅠㅠ", "OK", "7,000원", "``왜''", "cafe\u0301", "😊", "[MASK]", "...", "Ａ１", "3, 4"]

    def piece() -> str:
        syllables = "".join(map(chr, random.integers(0xAC00, 0xD7A4, 2)))
        return str(random.choice([*words, *others, syllables]))

    return [random.choice([" ", "  ", "\t"]).join(piece() for _ in range(random.integers(1, 13))) for _ in range(5000)]
