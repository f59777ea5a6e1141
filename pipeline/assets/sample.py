"""The sample dataset of the package: chats of a shop with its customers, written for this project."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pyarrow.parquet as pq


def sample_file() -> Path:
    """Return the path of the sample's Parquet file."""
    return Path(str(files("emojob.pipeline.assets") / "sample" / "shop_chat.parquet"))


def sample_texts() -> list[str]:
    """Return the sample's utterances, without null and blank ones."""
    texts = pq.read_table(sample_file(), columns=["text"])["text"].to_pylist()
    return [text for text in texts if text and text.strip()]
