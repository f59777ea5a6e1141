"""Fixtures of the data tests."""

from pathlib import Path

import pytest


@pytest.fixture
def written(tmp_path):
    def write(name: str, text: str, encoding: str = "utf-8") -> Path:
        (tmp_path / name).write_bytes(text.encode(encoding))
        return tmp_path / name

    return write
