"""Measures how fast a scoring job runs: the whole job, each stage, and the engine alone."""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.benchmark import baselines, matmul
from emojob.pipeline.inference.engines.engine import EngineChoice
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.inference.scoring_model import Prepared
from emojob.pipeline.inference.throughput import tokens_per_second
from emojob.pipeline.models.model_folder import find_folder
from emojob.pipeline.output.run_json import how_run
from emojob.pipeline.reading.calibration import calibration_texts
from emojob.pipeline.reading.chunks import BATCH_ROWS
from emojob.pipeline.reading.dataset import first_texts
from emojob.pipeline.reading.inputs import input_path
from emojob.pipeline.running.run import Result, score_dataset
from emojob.pipeline.storage.paths import as_local
from emojob.pipeline.system import hardware
from emojob.schemas.errors import OptionError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.schemas.options import ModelOptions, ScoreOptions

#: Value of --model for a model that has the size of KoBERT and random weights.
KOBERT_SIZED = "kobert-sized"

_STAGES = ("read", "tokenize", "infer", "label", "write")
_TURNS = 10  # utterances per conversation, for models that read the previous utterance
_JOB_SECONDS = 15.0  # approximate duration of the job if `rows` is None
_FEWEST_ROWS, _MOST_ROWS = 2_000, 200_000  # minimum and maximum number of rows if `rows` is None
_ENGINE_SECONDS = 5.0  # time limit for measuring the engine alone
_BASELINE_SECONDS = 30.0  # time limit for each baseline (see `baselines.rates`)


def measure(
    model: ModelOptions,
    source: str | None,
    text_column: str | None,
    rows: int | None,
    compare: bool = False,
    note: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Score some rows and measure the speed.

    Args:
        model: Options of the model.
        source: Path of the dataset. None: repeat the built-in sample texts, with a number after each text.
        text_column: Name of the text column. None: choose the column by its name.
        rows: Number of rows. None: as many rows as the engine labels in about 15 seconds.
        compare: Whether to measure the baselines too.
        note: callback(line), called with a note before each slow step.

    Returns:
        The results as a JSON object. The main results are:
        - rows/s and tokens/s of the job, tokens/s of the engine alone, FLOP/s of matrix products
        - share of padding tokens, share of repeated texts
        - seconds of each stage, seconds for loading the model, peak memory in bytes

    Raises:
        OptionError: The dataset has no rows, or the first rows contain no text.
        EmojobError: `score_dataset` failed.
    """
    with (
        tempfile.TemporaryDirectory(prefix=".emojob-bench-", dir=_temporary_parent(source)) as folder,
        _model(model, note) as options,
    ):
        texts = _texts(source, text_column, rows or _MOST_ROWS)
        choice, start, rate = _start(options, texts, note)
        options = replace(options, engine=choice.engine, device=choice.device, precision=choice.precision)
        texts = texts[: rows or min(max(int(rate * _JOB_SECONDS), _FEWEST_ROWS), _MOST_ROWS)]
        note("measuring the whole job")
        result = _score(texts, options, Path(folder))
        figures = _figures(result.run, result.counts.read, result.seconds) | start
        figures["model"] = model.model if model.model == KOBERT_SIZED else figures["model"]
        figures["peak_memory_bytes"] = _peak_memory()
        scorer = Scorer.load(options=options, calibration_texts=calibration_texts(options.calibration))
        note("measuring the engine alone and matrix products")
        processes = result.run["engine"]["processes"]
        figures |= _engine_figures(scorer, texts, figures["tokens_per_second"] / processes)
        if compare:
            note("measuring the baselines on the same rows")
            figures["peers"] = _baseline_figures(scorer, texts, figures["rows_per_second"])
    return figures


def _start(
    options: ModelOptions, texts: pa.Array, note: Callable[[str], None]
) -> tuple[EngineChoice, dict[str, Any], float]:
    """Load the model and label one text. Return (engine choice, durations as JSON, estimated rows/s)."""
    begun = time.perf_counter()
    calibration = calibration_texts(options.calibration)
    scorer = Scorer.load(options=options, may_measure=True, note=note, calibration_texts=calibration)
    loaded = time.perf_counter()
    scorer.score(["안녕하세요"])
    first = time.perf_counter() - loaded
    encoded = _prepared(scorer, texts).encoded
    if not (encoded.lengths > 2).any():
        raise OptionError(
            f"--input: the first {len(texts):,} rows contain no text; give a dataset with text, or choose the "
            f"text column with --text-column NAME"
        )
    rate = tokens_per_second(scorer.engine, encoded, scorer.batch_tokens, 1.0) / max(1.0, encoded.lengths.mean())
    return scorer.choice, {"load_seconds": round(loaded - begun, 3), "first_batch_seconds": round(first, 3)}, rate


def _score(texts: pa.Array, options: ModelOptions, folder: Path) -> Result:
    """Write the texts as a dataset and score the dataset. Before scoring, the counter of the peak memory is reset."""
    dataset = folder / "rows.parquet"
    pq.write_table(pa.table({"text": texts, "conversation": np.arange(len(texts)) // _TURNS}), dataset)
    _reset_peak_memory()
    columns = ScoreOptions(text_column="text", conversation_column="conversation")
    return score_dataset([str(dataset)], folder / "out", columns, options)


def _prepared(scorer: Scorer, texts: pa.Array) -> Prepared:
    """Tokenize the texts as a job does. If the model reads previous utterances, include the previous utterances."""
    rows = np.arange(len(texts))
    return scorer.prepare(texts, texts.take(pa.array(rows - 1, mask=rows % _TURNS == 0)))


def _engine_figures(scorer: Scorer, texts: pa.Array, job: float) -> dict[str, Any]:
    """Measure the speed of matrix products, and the speed of the engine without the other stages of a job.

    `job` is the speed of a single process of the job, in tokens/s.
    """
    device, precision = scorer.choice.device, _float_precision(scorer.choice)
    flops = matmul.matrix_rate(device, precision, hardware.cores())
    encoded = _prepared(scorer, texts[:BATCH_ROWS]).encoded  # BATCH_ROWS rows at a time, as in a job
    engine = tokens_per_second(scorer.engine, encoded, scorer.batch_tokens, _ENGINE_SECONDS)
    # measured twice, because another process may slow down one measurement
    flops = max(flops, matmul.matrix_rate(device, precision, hardware.cores()))
    flops_per_token = matmul.flops_per_token(scorer.model.shape)
    return {
        "engine_tokens_per_second": round(engine, 1),
        "job_share_of_engine": round(job / engine, 3),
        "matrix_precision": precision,
        "matrix_flops_per_second": round(flops),
        "engine_share_of_matrix_products": round(engine * flops_per_token / flops, 3),
        "job_share_of_matrix_products": round(job * flops_per_token / flops, 3),
    }


def _baseline_figures(scorer: Scorer, texts: pa.Array, job: float) -> dict[str, dict[str, float]]:
    """Measure the baselines. `job` is the speed of the job in rows/s.

    `times` in the result is the speed of the job divided by the speed of the baseline.
    """
    filled = [text or "" for text in texts.to_pylist()]
    device, precision = scorer.choice.device, _float_precision(scorer.choice)
    found = baselines.rates(scorer.model, filled, device, precision, scorer.options.max_length, _BASELINE_SECONDS)
    return {name: {**one, "times": round(job / one["rows_per_second"], 2)} for name, one in found.items()}


def _float_precision(choice: EngineChoice) -> str:
    """Return the precision for matrix products and baselines: fp32, bf16 or fp16.

    This is the precision of the engine. For an int8 engine, it is bf16 if this machine computes bf16 fast, else fp32.
    """
    if choice.precision != "int8":
        return choice.precision
    return "bf16" if hardware.detect().fast_bf16 else "fp32"


def _figures(run: dict[str, Any], rows: int, seconds: float) -> dict[str, Any]:
    work, engine = run["this_run"], run["engine"]
    stages = {stage: work["stage_seconds"].get(stage, 0.0) for stage in _STAGES}
    return {
        "model": run["model"]["name"],
        "engine": how_run(engine),
        "batch_tokens": engine["batch_tokens"],
        "rows": rows,
        "seconds": round(seconds, 3),
        "rows_per_second": round(rows / seconds, 1),
        "tokens_per_second": round(work["inferred_tokens"] / seconds, 1),
        "mean_tokens": round(work["tokens"] / max(1, work["rows_with_text"]), 2),
        "padding_share": round(work["padded_tokens"] / max(1, work["inferred_tokens"] + work["padded_tokens"]), 4),
        "memo_share": work["memo_share"],
        "memo_share_of_tokens": round(1 - work["inferred_tokens"] / max(1, work["tokens"]), 4),
        "stage_seconds": stages,
        "stage_busy_share": {stage: round(value / seconds, 3) for stage, value in stages.items()},
    }


@contextmanager
def _model(options: ModelOptions, note: Callable[[str], None]) -> Iterator[ModelOptions]:
    """Yield the options.

    For KOBERT_SIZED, a model folder with random weights is written first. The yielded options contain the path of this
    folder.
    """
    if options.model != KOBERT_SIZED:
        yield options
        return
    with tempfile.TemporaryDirectory(prefix="emojob-kobert-sized-") as folder:
        note("making a model that has the size of KoBERT and random weights; the labels will be meaningless")
        model_folder = Path(folder) / KOBERT_SIZED
        write_kobert_sized(model_folder)
        yield replace(options, model=str(model_folder))


def write_kobert_sized(folder: Path) -> None:
    """Write a model folder with the size of KoBERT and with random weights. The weights do not affect the speed."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.manual_seed(0)
    config = BertConfig(vocab_size=8002, pad_token_id=1, id2label=dict(enumerate(DEFAULT_LABELS)))
    BertForSequenceClassification(config).save_pretrained(folder)
    shutil.copyfile(find_folder(None) / "spiece.model", folder / "spiece.model")


def _texts(source: str | None, text_column: str | None, rows: int) -> pa.Array:
    if source is None:
        repeated = (f"{text} {i}" for i in itertools.count(1) for text in sample_texts())
        return pa.array(itertools.islice(repeated, rows), pa.large_string())
    texts = first_texts(source, text_column, rows)
    if not len(texts):
        raise OptionError(f"--input {source} has no rows; give a dataset that has rows")
    return texts


def _temporary_parent(source: str | None) -> Path | None:
    """Return the folder of the dataset if it is writable, else None (the default folder for temporary files)."""
    file = None if source is None else as_local(input_path(source))
    folder = file.parent if file and file.exists() else None
    return folder if folder is not None and os.access(folder, os.W_OK) else None


def _reset_peak_memory() -> None:
    """Reset the counter of the peak memory of this process (only on Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_memory() -> int:
    """Return the peak memory of this process in bytes."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
