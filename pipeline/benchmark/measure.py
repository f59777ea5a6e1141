"""Measures how fast a scoring job runs: the whole job, each stage, and the engine alone."""

from __future__ import annotations

import functools
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
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.benchmark import baselines, matmul
from emojob.pipeline.benchmark.figures import job_figures, peer_figures, shares
from emojob.pipeline.benchmark.rounds import busy_warning, in_turns, warnings_about
from emojob.pipeline.inference.engines.engine import EngineChoice
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.inference.scoring_model import Prepared
from emojob.pipeline.inference.throughput import tokens_per_second
from emojob.pipeline.models.model_folder import find_folder
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

_TURNS = 10  # utterances per conversation, for models that read the previous utterance
_JOB_SECONDS = 6.0  # approximate duration of the job in one round if `rows` is None
_FEWEST_ROWS, _MOST_ROWS = 2_000, 200_000  # minimum and maximum number of rows if `rows` is None
_ENGINE_SECONDS = 2.0  # time limit for measuring the engine alone in one round
_BASELINE_SECONDS = 4.0  # approximate time for each baseline in one round
_ROUNDS = 5  # number of rounds. In each round, the job, the engine and each baseline are measured once

_JOB, _ENGINE, _MATRICES = "emojob", "the engine alone", "matrix products"


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
        rows: Number of rows. None: as many rows as the engine labels in about 6 seconds.
        compare: Whether to measure the baselines too.
        note: callback(line), called with a note before each slow step.

    Returns:
        The results as a JSON object. Speeds are medians over the rounds, with all rounds beside them. The main results
        are:
        - rows/s and tokens/s of the job, tokens/s of the engine alone, FLOP/s of matrix products
        - warnings about speeds that vary much, and about other programs that use the machine
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
        figures = {"generator": "emojob"} | _in_rounds(texts, options, Path(folder), compare, note) | start
    return figures | ({"model": KOBERT_SIZED} if model.model == KOBERT_SIZED else {})


def _in_rounds(
    texts: pa.Array, options: ModelOptions, folder: Path, compare: bool, note: Callable[[str], None]
) -> dict[str, Any]:
    """Measure the job, the engine alone, matrix products and the baselines in turns. Return the results."""
    busy = busy_warning()
    note("measuring the memory of the job")
    job = _Job(texts, options, folder)
    scorer = Scorer.load(options=options, calibration_texts=calibration_texts(options.calibration))
    with _programs(scorer, texts, compare, note) as programs:
        note(f"measuring {_ROUNDS} rounds of the job, the engine alone{' and the baselines' if compare else ''}")
        measured = in_turns({_JOB: job.run, **_alone(scorer, texts), **_rates_of(programs, texts)}, _ROUNDS)
    figures = job.figures()
    of_one = figures["tokens_per_second"] / job.processes
    precision, flops = _float_precision(scorer.choice), matmul.flops_per_token(scorer.model.shape)
    figures |= shares(of_one, measured[_ENGINE], measured[_MATRICES], flops) | {"matrix_precision": precision}
    rates = {name: one for name, one in measured.items() if name not in (_ENGINE, _MATRICES)}
    if compare:
        figures["peers"] = {one.name: peer_figures(one, rates[_JOB], rates[one.name]) for one in programs}
    figures["rounds"] = measured[_JOB].as_json("rows_per_second")["rounds"]
    figures["warnings"] = [*([busy] if busy else []), *warnings_about(rates)]
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


class _Job:
    """The scoring job. Each round scores the same dataset into a new folder.

    The first job only measures the peak memory, because later the memory of other programs would also count.

    Args:
        texts: The texts of the dataset.
        options: Options of the model.
        folder: Folder for the dataset and the output.
    """

    def __init__(self, texts: pa.Array, options: ModelOptions, folder: Path) -> None:
        self._options, self._folder, self._dataset = options, folder, folder / "rows.parquet"
        self._results: list[Result] = []
        pq.write_table(pa.table({"text": texts, "conversation": np.arange(len(texts)) // _TURNS}), self._dataset)
        _reset_peak_memory()
        self._score()
        self._peak_memory = _peak_memory()

    def run(self) -> float:
        """Score the dataset, and return the speed in rows/s."""
        result = self._score()
        self._results.append(result)
        return result.counts.read / result.seconds

    def _score(self) -> Result:
        columns = ScoreOptions(text_column="text", conversation_column="conversation")
        result = score_dataset([str(self._dataset)], self._folder / "out", columns, self._options)
        shutil.rmtree(self._folder / "out")
        return result

    @property
    def processes(self) -> int:
        """Return the number of processes of the job."""
        return int(self._results[0].run["engine"]["processes"])

    def figures(self) -> dict[str, Any]:
        """Return the results of the round with the median duration."""
        result = sorted(self._results, key=lambda one: one.seconds)[len(self._results) // 2]
        found = job_figures(result.run, result.counts.read, result.seconds)
        return found | {"peak_memory_bytes": self._peak_memory}


def _prepared(scorer: Scorer, texts: pa.Array) -> Prepared:
    """Tokenize the texts as a job does. If the model reads previous utterances, include the previous utterances."""
    rows = np.arange(len(texts))
    return scorer.prepare(texts, texts.take(pa.array(rows - 1, mask=rows % _TURNS == 0)))


@contextmanager
def _programs(
    scorer: Scorer, texts: pa.Array, compare: bool, note: Callable[[str], None]
) -> Iterator[list[baselines.Baseline]]:
    """Yield the baselines, or [] if they are not wanted."""
    if not compare:
        yield []
        return
    note("making the baselines, and searching the best batch size of each one")
    filled = [text or "" for text in texts.to_pylist()]
    device, precision = scorer.choice.device, _float_precision(scorer.choice)
    with baselines.baselines(
        scorer.model, filled, device, precision, scorer.options.max_length, _BASELINE_SECONDS
    ) as programs:
        yield programs


def _rates_of(programs: list[baselines.Baseline], texts: pa.Array) -> dict[str, Callable[[], float]]:
    """Return {name of the baseline: function that measures its speed in rows/s}."""
    filled = [text or "" for text in texts.to_pylist()] if programs else []
    return {one.name: functools.partial(one.rate, filled) for one in programs}


def _alone(scorer: Scorer, texts: pa.Array) -> dict[str, Callable[[], float]]:
    """Return functions that measure the engine without the other stages of a job, and matrix products.

    The engine gets the texts that the engine gets in a job: a repeated text only once, and as many rows at a time.
    """
    device, precision = scorer.choice.device, _float_precision(scorer.choice)
    distinct = texts if scorer.model.context == "previous" else pc.unique(texts)
    encoded = _prepared(scorer, distinct[:BATCH_ROWS]).encoded
    return {
        _ENGINE: lambda: tokens_per_second(scorer.engine, encoded, scorer.batch_tokens, _ENGINE_SECONDS),
        _MATRICES: lambda: matmul.matrix_rate(device, precision, hardware.cores()),
    }


def _float_precision(choice: EngineChoice) -> str:
    """Return the precision for matrix products and baselines: fp32, bf16 or fp16.

    This is the precision of the engine. For an int8 engine, it is bf16 if this machine computes bf16 fast, else fp32.
    """
    if choice.precision != "int8":
        return choice.precision
    return "bf16" if hardware.detect().fast_bf16 else "fp32"


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
