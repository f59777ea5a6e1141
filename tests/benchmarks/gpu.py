"""What a GPU does, beside what it could do and beside other ways: one command, some minutes, no network.

    python tests/benchmarks/gpu.py ARCHIVE [--text-column C] [--rows N] [--json FILE]

On a model of KoBERT's size with random weights: the whole job, Parquet to Parquet, over the archive; the engine alone;
the machine's own matrix products (8192 x 8192 x 8192); a transformers pipeline at its best batch size; batches sorted
by length in eager torch. On the default model: labels in 16 bits beside fp32, on the GPU and on the CPU. And how many
texts a second the tokenizer does. The script runs on a CPU too, for a try.
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

from emojob.jobs.commands.scoring.bench import print_figures
from emojob.pipeline.benchmark.measure import KOBERT_SIZED, measure
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.models import model
from emojob.pipeline.reading.dataset import first_texts
from emojob.pipeline.system import hardware
from emojob.schemas.options import ModelOptions

_COMPARED = 20_000  # texts whose labels are compared
_COMPARED_WITH_CPU = 2_000


def agreement(options: ModelOptions, exact: ModelOptions, texts: pa.Array) -> dict[str, float]:
    """The share of texts with the same label, and the largest difference of a probability."""
    quick, slow = (Scorer.load(options=one) for one in (options, exact))
    prepared = quick.prepare(texts)
    ours, theirs = quick.label(prepared, quick.infer(prepared)), slow.label(prepared, slow.infer(prepared))
    same = (ours.emotions == theirs.emotions).mean()
    return {
        "texts": len(texts),
        "same_labels": round(float(same), 5),
        "largest_difference": round(float(np.nanmax(np.abs(ours.probabilities - theirs.probabilities))), 5),
    }


def tokenizer_rate(texts: pa.Array) -> float:
    """Texts/s of the tokenizer, on all cores."""
    tokenizer = model.load(None, hardware.cores()).tokenizer
    tokenizer.encode(texts[:1000])
    begun = time.perf_counter()
    for start in range(0, len(texts), 61_440):
        tokenizer.encode(texts[start : start + 61_440])
    return len(texts) / (time.perf_counter() - begun)


@click.command()
@click.argument("archive")
@click.option("--text-column")
@click.option("--rows", default=1_000_000)
@click.option("--device", default="auto")
@click.option("--json", "json_file")
def main(archive: str, text_column: str | None, rows: int, device: str, json_file: str | None) -> None:
    """Measure, print, and write JSON where it is asked for."""
    options = ModelOptions(device=device)
    figures = measure(replace(options, model=KOBERT_SIZED), archive, text_column, rows, True, click.echo)
    texts = first_texts(archive, text_column, rows)
    exact = replace(options, precision="fp32")
    beside: dict[str, Any] = {
        "tokenizer_texts_per_second": round(tokenizer_rate(texts)),
        "default_model_beside_fp32": agreement(options, exact, texts[:_COMPARED]),
        "default_model_beside_fp32_on_the_cpu": agreement(
            options, replace(exact, device="cpu", engine="torch"), texts[:_COMPARED_WITH_CPU]
        ),
    }
    print_figures(figures)
    click.echo(json.dumps(beside, indent=1))
    if json_file:
        Path(json_file).write_text(json.dumps(figures | beside, ensure_ascii=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
