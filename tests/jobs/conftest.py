"""Fixtures of the commands: small datasets, and a model with context."""

import csv
from pathlib import Path

import pytest

from tests.personal_data import HEAD, KEY, PHONE, ROWS


@pytest.fixture(scope="module")
def pair_model(make_model):
    """A model that was trained to read the previous utterance as well."""
    return make_model(emojob_context="previous")


@pytest.fixture
def log(tmp_path):
    file = tmp_path / "log.csv"
    file.write_text("id,text\n1,정말 기뻐요\n2,\n3,왜 아직도 안 와요\n")
    return file


@pytest.fixture
def chat(tmp_path, monkeypatch) -> Path:
    """Six rows, and one that cannot be read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMOJOB_HASH_KEY", KEY)
    file = tmp_path / "chat.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([HEAD, *ROWS, ("c9", f"{PHONE}은 제 번호", "칸이", "너무", "많아요")])
    return file
