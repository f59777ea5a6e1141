"""The sample archive that comes with the package: a shop's chat with its customers, written for this project."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pyarrow.parquet as pq


def sample_file() -> Path:
    """The Parquet file of the sample archive."""
    return Path(str(files("emojob.pipeline.assets") / "sample" / "shop_chat.parquet"))


def sample_texts() -> list[str]:
    """Its utterances, null and blank ones left out."""
    texts = pq.read_table(sample_file(), columns=["text"])["text"].to_pylist()
    return [text for text in texts if text and text.strip()]
