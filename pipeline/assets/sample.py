"""The sample dataset of the package: chats between a shop and its customers, written for this project."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pyarrow.parquet as pq


def sample_file() -> Path:
    """Return the path of the Parquet file with the sample dataset."""
    return Path(str(files("emojob.pipeline.assets") / "sample" / "shop_chat.parquet"))


def sample_texts() -> list[str]:
    """Return the utterances of the sample dataset. Null and blank utterances are omitted."""
    texts = pq.read_table(sample_file(), columns=["text"])["text"].to_pylist()
    return [text for text in texts if text and text.strip()]
