"""Measure a GPU and compare it with its upper limit and with other ways; takes some minutes, no network.

    python tests/benchmarks/gpu.py DATASET [--text-column C] [--rows N] [--json FILE]

With a model of KoBERT's size and random weights: the whole job from Parquet to Parquet, the engine alone, matrix
products (8192 x 8192 x 8192), a transformers pipeline with its fastest batch size, and batches sorted by length in
eager torch. With the default model: the labels in 16 bits compared with fp32 on the GPU and on the CPU. Also texts/s
of the tokenizer. The script runs on a CPU too, as a test.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow as pa

from emojob.jobs.terminal.machine_tables import print_speed
from emojob.pipeline.benchmark.measure import KOBERT_SIZED, measure
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.models import model
from emojob.pipeline.reading.dataset import first_texts
from emojob.pipeline.system import hardware
from emojob.schemas.options import ModelOptions

_COMPARED = 20_000  # texts with compared labels
_COMPARED_WITH_CPU = 2_000


def agreement(options: ModelOptions, exact: ModelOptions, texts: pa.Array) -> dict[str, float]:
    """Return the share of texts with the same label, and the largest difference of a probability."""
    fast, slow = (Scorer.load(options=one) for one in (options, exact))
    prepared = fast.prepare(texts)
    ours, theirs = fast.label(prepared, fast.infer(prepared)), slow.label(prepared, slow.infer(prepared))
    same = (ours.emotions == theirs.emotions).mean()
    return {
        "texts": len(texts),
        "same_labels": round(float(same), 5),
        "largest_difference": round(float(np.nanmax(np.abs(ours.probabilities - theirs.probabilities))), 5),
    }


def tokenizer_rate(texts: pa.Array) -> float:
    """Return texts/s of the tokenizer on all cores."""
    tokenizer = model.load(None, hardware.cores()).tokenizer
    tokenizer.encode(texts[:1000])
    begun = time.perf_counter()
    for start in range(0, len(texts), 61_440):
        tokenizer.encode(texts[start : start + 61_440])
    return len(texts) / (time.perf_counter() - begun)


@click.command()
@click.argument("dataset")
@click.option("--text-column")
@click.option("--rows", default=1_000_000)
@click.option("--device", default="auto")
@click.option("--json", "json_file")
def main(dataset: str, text_column: str | None, rows: int, device: str, json_file: str | None) -> None:
    """Measure, print, and write JSON if --json is given."""
    options = ModelOptions(device=device)
    figures = measure(replace(options, model=KOBERT_SIZED), dataset, text_column, rows, True, click.echo)
    texts = first_texts(dataset, text_column, rows)
    exact = replace(options, precision="fp32")
    beside: dict[str, Any] = {
        "tokenizer_texts_per_second": round(tokenizer_rate(texts)),
        "default_model_beside_fp32": agreement(options, exact, texts[:_COMPARED]),
        "default_model_beside_fp32_on_the_cpu": agreement(
            options, replace(exact, device="cpu", engine="torch"), texts[:_COMPARED_WITH_CPU]
        ),
    }
    print_speed(figures)
    click.echo(json.dumps(beside, indent=1))
    if json_file:
        Path(json_file).write_text(json.dumps(figures | beside, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
