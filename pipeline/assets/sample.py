"""Reads the sample dataset: invented chats between an online shop and customers."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pyarrow.parquet as pq


def sample_file() -> Path:
    """Return the path of the sample dataset, which is a Parquet file."""
    return Path(str(files("emojob.pipeline.assets") / "sample" / "shop_chat.parquet"))


def sample_texts() -> list[str]:
    """Return the utterances of the sample dataset, without null and blank utterances."""
    texts = pq.read_table(sample_file(), columns=["text"])["text"].to_pylist()
    return [text for text in texts if text and text.strip()]
