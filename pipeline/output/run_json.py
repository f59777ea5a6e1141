"""Builds the contents of run.json: options, counts, timings and installed versions."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from emojob.pipeline.inference.scoring_model import ScoringModel
from emojob.pipeline.output.layout import RUN_FILE
from emojob.pipeline.privacy.policy import Privacy
from emojob.pipeline.reading.dataset import Dataset
from emojob.pipeline.reading.source import Source
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.system import versions
from emojob.schemas.errors import StorageError
from emojob.schemas.manifest import Counts
from emojob.schemas.options import ScoreOptions, as_dict

#: Number of attempts that a run may use for the same rows. A later run uses higher numbers.
ATTEMPTS = 1000


def run_json(
    state: str,
    started: datetime,
    dataset: Dataset,
    scorer: ScoringModel,
    privacy: Privacy,
    options: ScoreOptions,
    counts: Counts,
    new_rows: int,
    timings: tuple[float, dict[str, float]],
) -> dict[str, Any]:
    """Return the contents of run.json.

    Args:
        state: `running`, `complete`, `interrupted` or `failed`.
        started: Start time of the run, in UTC.
        dataset: The inputs.
        scorer: The model and its engine.
        privacy: Privacy options of the run.
        options: Options of the run.
        counts: Counts of all rows of the inputs, including rows that earlier runs labelled.
        new_rows: Number of rows that this run read.
        timings: (start time from `time.monotonic()`, {stage: seconds spent in the stage}).
    """
    start, stage_seconds = timings
    return {
        "state": state,
        "started": started.isoformat(timespec="seconds"),
        "finished": None if state == "running" else datetime.now(UTC).isoformat(timespec="seconds"),
        "model": _model(scorer),
        "engine": _engine(scorer),
        "text_column": dataset.text_column,
        "conversation_column": dataset.conversation_column,
        "prefix": options.prefix,
        "privacy": privacy.as_json(),
        "options": as_dict(scorer.options, options),
        "inputs": list(map(_input, dataset.sources)),
        "counts": counts.summary(),
        "this_run": {
            "rows": new_rows,
            "seconds": round(time.monotonic() - start, 3),
            "stage_seconds": {stage: round(seconds, 3) for stage, seconds in stage_seconds.items()},
            **_tally(scorer),
        },
        "versions": versions.installed_versions(),
    }


def _input(source: Source) -> dict[str, Any]:
    found = {"name": source.file.name, "bytes": source.size, "sha256": source.sha256, "encoding": source.encoding}
    return found if source.reading_key is None else {**found, "dialect": source.reading_key}


def ensure_current(folder: AnyPath, run_id: str) -> None:
    """Raise StorageError if a run no longer writes to OUT, because the run ended or another run replaced it.

    Args:
        folder: OUT.
        run_id: ID of the run, from run.json.
    """
    run = atomic.read_json(folder / RUN_FILE)
    if (run.get("run_id"), run.get("state")) != (run_id, "running"):
        raise StorageError(
            f"{folder} is no longer written by this run, because another run replaced it: nothing more is written; "
            "wait until the other run has ended, then run the command again"
        )


def next_attempt(before: Mapping[str, Any]) -> int:
    """Return the number of the first attempt of a run (see `PartMarker.attempt`).

    Workers of an earlier run on a cluster may still write parts, so a new run has a higher number than these workers.

    Args:
        before: Contents of run.json of the run before; {} if there was none.
    """
    last, engine = before.get("attempt", 1), before.get("engine")
    attempt = last if isinstance(last, int) and 1 <= last < 1 << 40 else 1
    on_cluster = isinstance(engine, dict) and engine.get("within") is not None
    return attempt + ATTEMPTS if on_cluster else attempt


def how_run(engine: dict[str, Any]) -> str:
    """Return a short description of the engine of a run, such as "torch on 2 x cuda in bf16".

    Args:
        engine: The object `engine` of run.json.
    """
    number = engine.get("processes", 1)
    device = f"{number} x {engine['device']}" if number > 1 else engine["device"]
    within = " on Ray" if engine.get("within") == "ray" else ""
    return f"{engine['engine']} on {device} in {engine['precision']}{within}"


def _model(scorer: ScoringModel) -> dict[str, Any]:
    return {
        "name": scorer.model.name,
        "fingerprint": scorer.fingerprint,
        "labels": list(scorer.model.labels),
        "max_length": scorer.options.max_length,
        "context": scorer.options.context,
        "temperature": scorer.model.temperature,
        **({} if scorer.model.thresholds is None else {"thresholds": list(scorer.model.thresholds)}),
    }


def _engine(scorer: ScoringModel) -> dict[str, Any]:
    choice = scorer.choice
    return {
        "engine": choice.engine,
        "device": choice.device,
        "precision": choice.precision,
        "batch_tokens": scorer.batch_tokens,
        "halvings": scorer.tally.halvings,
    }


def _tally(scorer: ScoringModel) -> dict[str, Any]:
    tally = scorer.tally
    return {
        "rows_with_text": tally.rows,
        "tokens": tally.tokens,
        "memo_share": round(tally.memo_share, 4),
        "inferred_rows": tally.inferred_rows,
        "inferred_tokens": tally.inferred_tokens,
        "padded_tokens": tally.padded_tokens,
        "batches": tally.batches,
    }
