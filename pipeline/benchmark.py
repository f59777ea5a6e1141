"""Measuring a scoring run: the whole job, Parquet to Parquet, and where its time goes."""

from __future__ import annotations

import itertools
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.archive import first_texts
from pipeline.run import score_archive
from pipeline.samples import sample_texts
from pipeline.scorer import Scorer
from schemas.options import ModelOptions, ScoreOptions

_STAGES = ("read", "tokenize", "infer", "write")
_TURNS = 10  # utterances of a conversation, for a model that reads the previous one


def measure(model: ModelOptions, source: str | None, text_column: str | None, rows: int) -> dict[str, Any]:
    """Score `rows` rows of `source` (None: the sample's utterances, each time with another number) and time it.

    Returns rows/s and tokens/s of the whole job, shares of padding and of repeats, seconds and busy share of each
    stage, seconds to load the model and for its first batch, peak memory in bytes.
    """
    begun = time.perf_counter()
    scorer = Scorer.load(options=model, patient=True)
    loaded = time.perf_counter()
    scorer.score(["안녕하세요"])
    first = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="emojob-bench-") as folder:
        archive = Path(folder) / "rows.parquet"
        _write(_texts(source, text_column, rows), archive)
        options = ScoreOptions(text_column="text", conversation_column="conversation")
        result = score_archive([str(archive)], Path(folder) / "out", options, model)
    work, engine = result.run["this_run"], result.run["engine"]
    stages = {stage: work["stage_seconds"].get(stage, 0.0) for stage in _STAGES}
    tokens = work["inferred_tokens"] + work["padded_tokens"]
    return {
        "model": result.run["model"]["name"],
        "engine": f"{engine['engine']} on {engine['device']} in {engine['precision']}",
        "batch_tokens": engine["batch_tokens"],
        "rows": result.counts.read,
        "seconds": round(result.seconds, 3),
        "rows_per_second": round(result.counts.read / result.seconds, 1),
        "tokens_per_second": round(work["inferred_tokens"] / result.seconds, 1),
        "mean_tokens": round(work["inferred_tokens"] / max(1, work["inferred_rows"]), 2),
        "padding_share": round(work["padded_tokens"] / max(1, tokens), 4),
        "memo_share": work["memo_share"],
        "stage_seconds": stages,
        "stage_busy_share": {stage: round(value / result.seconds, 3) for stage, value in stages.items()},
        "load_seconds": round(loaded - begun, 3),
        "first_batch_seconds": round(first - loaded, 3),
        "peak_memory_bytes": _peak_memory(),
    }


def _texts(source: str | None, text_column: str | None, rows: int) -> pa.Array:
    if source is None:
        repeated = (f"{text} {i}" for i in itertools.count(1) for text in sample_texts())
        return pa.array(itertools.islice(repeated, rows), pa.large_string())
    return first_texts(source, text_column, rows)


def _write(texts: pa.Array, file: Path) -> None:
    pq.write_table(pa.table({"text": texts, "conversation": np.arange(len(texts)) // _TURNS}), file)


def _peak_memory() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
