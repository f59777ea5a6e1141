"""Measuring a scoring run: the whole job, Parquet to Parquet, and where its time goes."""

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
from emojob.pipeline.inference.engine import EngineChoice
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.inference.scoring_model import Prepared
from emojob.pipeline.inference.throughput import tokens_per_second
from emojob.pipeline.models.model_folder import find_folder
from emojob.pipeline.output.run_json import how_run
from emojob.pipeline.reading.calibration import calibration_texts
from emojob.pipeline.reading.chunks import BATCH_ROWS
from emojob.pipeline.reading.dataset import first_texts
from emojob.pipeline.reading.inputs import input_path
from emojob.pipeline.running.run import score_archive
from emojob.pipeline.system import hardware
from emojob.schemas.errors import OptionError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.schemas.options import ModelOptions, ScoreOptions

#: The name under which `--model` gets a model of KoBERT's size.
KOBERT_SIZED = "kobert-sized"

_STAGES = ("read", "tokenize", "infer", "label", "write")
_TURNS = 10  # utterances of a conversation, for a model that reads the previous one
_JOB_SECONDS = 15.0  # that the engine takes, where the number of rows is not given
_FEWEST_ROWS, _MOST_ROWS = 2_000, 200_000  # then
_ENGINE_SECONDS = 5.0  # that the engine runs alone
_BASELINE_SECONDS = 30.0  # after which a peer that takes the texts in their order ends


def measure(
    model: ModelOptions,
    source: str | None,
    text_column: str | None,
    rows: int | None,
    compare: bool = False,
    note: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Score `rows` rows of `source` (None: the sample's utterances, each time with another number) and time it.

    rows: None for so many that the engine takes some seconds.

    Returns rows/s and tokens/s of the whole job and of the engine alone on the same texts, the rate of matrix
    products on this machine (floating-point operations/s) and the share of it that the engine reaches, shares of
    padding and of repeats, seconds and busy share of each stage, seconds to load the model and for its first batch,
    the job's peak memory in bytes. compare: rows/s of the peers on the same rows as well, each text alone and on one
    device (`pipeline.benchmark.baselines`). note: gets a line before what takes long. Raises what `score_archive`
    raises, OptionError where the source has no text.
    """
    with (
        tempfile.TemporaryDirectory(prefix=".emojob-bench-", dir=_beside(source)) as folder,
        _model(model, note) as options,
    ):
        texts = _texts(source, text_column, rows or _MOST_ROWS)
        choice, start, rate = _start(options, texts, note)
        options = replace(options, engine=choice.engine, device=choice.device, precision=choice.precision)
        texts = texts[: rows or min(max(int(rate * _JOB_SECONDS), _FEWEST_ROWS), _MOST_ROWS)]
        dataset = Path(folder) / "rows.parquet"
        pq.write_table(pa.table({"text": texts, "conversation": np.arange(len(texts)) // _TURNS}), dataset)
        note("measuring the whole job")
        _forget_peak()
        columns = ScoreOptions(text_column="text", conversation_column="conversation")
        result = score_archive([str(dataset)], Path(folder) / "out", columns, options)
        figures = _figures(result.run, result.counts.read, result.seconds) | start
        figures["model"] = model.model if model.model == KOBERT_SIZED else figures["model"]
        figures["peak_memory_bytes"] = _peak_memory()
        scorer = Scorer.load(options=options, calibration_texts=calibration_texts(options.calibration))
        note("measuring the engine alone, and matrix products")
        processes = result.run["engine"]["processes"]
        figures |= _beside_the_ceiling(scorer, texts, figures["tokens_per_second"] / processes)
        if compare:
            note("measuring the peers on the same rows")
            figures["peers"] = _beside_the_baselines(scorer, texts, figures["rows_per_second"])
    return figures


def _start(
    options: ModelOptions, texts: pa.Array, note: Callable[[str], None]
) -> tuple[EngineChoice, dict[str, Any], float]:
    """What a model is run on, the seconds that it takes to load it and to label a first text, and about its rows/s."""
    begun = time.perf_counter()
    calibration = calibration_texts(options.calibration)
    scorer = Scorer.load(options=options, patient=True, note=note, calibration_texts=calibration)
    loaded = time.perf_counter()
    scorer.score(["안녕하세요"])
    first = time.perf_counter() - loaded
    encoded = _prepared(scorer, texts).encoded
    if not (encoded.lengths > 2).any():
        raise OptionError("--input has no text in its first rows: give another archive, or --text-column")
    rate = tokens_per_second(scorer.engine, encoded, scorer.batch_tokens, 1.0) / max(1.0, encoded.lengths.mean())
    return scorer.choice, {"load_seconds": round(loaded - begun, 3), "first_batch_seconds": round(first, 3)}, rate


def _prepared(scorer: Scorer, texts: pa.Array) -> Prepared:
    """The texts as the job reads them, the utterances before them included where the model reads those."""
    rows = np.arange(len(texts))
    return scorer.prepare(texts, texts.take(pa.array(rows - 1, mask=rows % _TURNS == 0)))


def _beside_the_ceiling(scorer: Scorer, texts: pa.Array, job: float) -> dict[str, Any]:
    """The engine alone beside the machine's matrix products, and the job, tokens/s of a process, beside the engine."""
    device, precision = scorer.choice.device, _plain(scorer.choice)
    flops = matmul.matrix_rate(device, precision, hardware.cores())
    encoded = _prepared(scorer, texts[:BATCH_ROWS]).encoded  # so that the batches are a job's
    engine = tokens_per_second(scorer.engine, encoded, scorer.batch_tokens, _ENGINE_SECONDS)
    flops = max(flops, matmul.matrix_rate(device, precision, hardware.cores()))  # others may have been at work
    each = matmul.flops_per_token(scorer.model.shape)
    return {
        "engine_tokens_per_second": round(engine, 1),
        "job_share_of_engine": round(job / engine, 3),
        "matrix_precision": precision,
        "matrix_flops_per_second": round(flops),
        "engine_share_of_matrix_products": round(engine * each / flops, 3),
        "job_share_of_matrix_products": round(job * each / flops, 3),
    }


def _beside_the_baselines(scorer: Scorer, texts: pa.Array, job: float) -> dict[str, dict[str, float]]:
    """rows/s of each peer, and how many times as fast the job is, rows/s."""
    plain = [text or "" for text in texts.to_pylist()]
    device, precision = scorer.choice.device, _plain(scorer.choice)
    found = baselines.rates(scorer.model, plain, device, precision, scorer.options.max_length, _BASELINE_SECONDS)
    return {name: {**one, "times": round(job / one["rows_per_second"], 2)} for name, one in found.items()}


def _plain(choice: EngineChoice) -> str:
    """The precision of a choice; for int8 the one that is fastest beside it."""
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
    """The options; where they ask for a model of KoBERT's size, with a folder that has one."""
    if options.model != KOBERT_SIZED:
        yield options
        return
    with tempfile.TemporaryDirectory(prefix="emojob-kobert-sized-") as folder:
        note("making a model of KoBERT's size with random weights; its labels mean nothing")
        place = Path(folder) / KOBERT_SIZED
        write_kobert_sized(place)
        yield replace(options, model=str(place))


def write_kobert_sized(folder: Path) -> None:
    """Write a model folder of KoBERT's size with random weights: speed does not depend on what they are."""
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
        raise OptionError(f"--input {source} has no row: give another archive")
    return texts


def _beside(source: str | None) -> Path | None:
    """Where a copy of an archive's texts may lie: in its own folder; None for the folder for temporary files."""
    place = None if source is None else input_path(source)
    folder = place.parent if isinstance(place, Path) and place.exists() else None
    return folder if folder is not None and os.access(folder, os.W_OK) else None


def _forget_peak() -> None:
    """Let the peak of this process's memory begin anew, where the system can do that."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_memory() -> int:
    """Bytes of memory that this process had at most."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
