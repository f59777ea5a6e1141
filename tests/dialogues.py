"""Dialogues for tests of models that read the previous utterance, and the previous utterances found by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from emojob.pipeline.assets.sample import sample_texts

BLANK = [None, "", "  \u3000\t", "\u200b"]


def previous_by_hand(rows: list[tuple[object, str | None]], most: int = 10**9, step: int = 10**9) -> list[str | None]:
    """Return the previous utterance of each row, found row by row.

    Args:
        rows: (conversation, text) of each row.
        most: Conversations that are remembered after each step.
        step: Rows of a step.
    """
    last: dict[object, str] = {}
    found = []
    for i, (conversation, text) in enumerate(rows):
        if i % step == 0:
            for key in list(last)[: max(0, len(last) - most)]:
                del last[key]
        blank = text is None or not text.strip(" \u3000\t\u200b")
        nowhere = conversation is None or not str(conversation).strip()
        found.append(None if blank or nowhere else last.get(conversation))
        if not blank and not nowhere:
            last.pop(conversation, None)
            last[conversation] = text
    return found


ROWS = 2400


def rows_of_dialogue() -> list[tuple[int | None, str | None]]:
    """Return (conversation, text) of each row: a dozen interleaved conversations, with blank rows and rows of none."""
    chance = np.random.default_rng(3)
    texts = [*sample_texts(), *BLANK]
    rows = []
    for i in range(ROWS):
        conversation = 12 * (i // 900) + int(chance.integers(12))
        text = texts[int(chance.integers(len(texts)))]
        rows.append((None if chance.random() < 0.05 else conversation, text))
    return rows


def write_dialogue(file: Path) -> None:
    """Write a dataset of interleaved conversations, in row groups of 700 rows."""
    rows = rows_of_dialogue()
    table = pa.table(
        {
            "id": range(ROWS),
            "dialog_id": pa.array([name for name, _ in rows], pa.int64()),
            "text": pa.array([text for _, text in rows]),
            "other": pa.array([f"{i % 7}" for i in range(ROWS)]).dictionary_encode(),
        }
    )
    pq.write_table(table, file, row_group_size=700)
