"""Small labelled archives for tests, made of rows with given labels and confidences."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from emojob.schemas.columns import label_fields
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.schemas.manifest import Counts, PartMarker

LABELS = ("일상", "분노", "기쁨")


def row(text: str | None, margin: float = 0.0, guess: int = 0, status: str = "scored", **more: object) -> dict:
    """Return a labelled row.

    Args:
        text: Its text.
        margin: Difference between its two highest probabilities.
        guess: Index of its label in LABELS.
        status: Its status.
        more: Its other columns.
    """
    if status == "empty":
        return {"text": text, "emotion": None, "status": status, "probabilities": [None] * 3, **more}
    best, second = (0.9 + margin) / 2, (0.9 - margin) / 2
    probabilities = [second, max(0.0, 1 - best - second)]
    probabilities.insert(guess, best)
    return {"text": text, "emotion": LABELS[guess], "status": status, "probabilities": probabilities, **more}


def table_of(rows: list[dict], prefix: str = "", labels: tuple[str, ...] = LABELS) -> pa.Table:
    """Return rows of `row` or `utterance` as a labelled table."""
    more = {name: [one[name] for one in rows] for name in rows[0] if name not in ("emotion", "status", "probabilities")}
    added = [
        [one["emotion"] for one in rows],
        [max(one["probabilities"], key=lambda p: p or 0) for one in rows],
        *[[one["probabilities"][i] for one in rows] for i in range(len(labels))],
        [one["status"] for one in rows],
    ]
    fields = label_fields(labels, prefix)
    columns = [pa.array(values, field.type) for values, field in zip(added, fields, strict=True)]
    return pa.table({**more, **{field.name: column for field, column in zip(fields, columns, strict=True)}})


def write_part(out: Path, table: pa.Table, number: int = 0, first_row: int = 0) -> Path:
    """Write a complete part of input `number` with its marker, and return the path of the part."""
    (out / "_emojob" / "parts").mkdir(parents=True, exist_ok=True)
    part = out / f"part-{number:05d}-{first_row:012d}.parquet"
    pq.write_table(table, part, row_group_size=50)
    marker = PartMarker(
        part=part.name,
        part_bytes=part.stat().st_size,
        input=f"{number}.csv",
        input_bytes=1,
        input_sha256="",
        encoding="utf-8",
        first_row=first_row,
        stop_row=first_row + len(table),
        last=True,
        fingerprint="tiny",
        counts=Counts(scored=len(table)),
    )
    (out / "_emojob" / "parts" / f"{part.stem}.json").write_text(json.dumps(marker.as_json()))
    return part


def write_run(out: Path, prefix: str = "", **options: object) -> Path:
    """Write run.json with these options of the run, and return OUT."""
    run = {"format": 1, "text_column": "text", "prefix": prefix, "options": options}
    (out / "_emojob" / "run.json").write_text(json.dumps(run))
    return out


def utterance(emotion: str | None, confidence: float = 0.7, text: str | None = "그랬어요", **more: object) -> dict:
    """Return the row of an utterance with this label of the default model; without a label, a row without text."""
    if emotion is None:
        nothing = [None] * len(DEFAULT_LABELS)
        return {"text": None, "emotion": None, "status": "empty", "probabilities": nothing, **more}
    rest = (1 - confidence) / (len(DEFAULT_LABELS) - 1)
    probabilities = [confidence if label == emotion else rest for label in DEFAULT_LABELS]
    return {"text": text, "emotion": emotion, "status": "scored", "probabilities": probabilities, **more}


def write_archive(out: Path, rows: list[dict], prefix: str = "", **options: object) -> Path:
    """Write a labelled archive of one part with the default model's labels, and return OUT."""
    write_part(out, table_of(rows, prefix, DEFAULT_LABELS))
    return write_run(out, prefix, **options)
