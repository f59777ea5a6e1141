"""Converts measurements to the results of `emojob bench`, as JSON objects."""

from __future__ import annotations

from typing import Any

from emojob.pipeline.benchmark.baselines import Baseline
from emojob.pipeline.benchmark.rounds import Spread
from emojob.pipeline.output.run_json import how_run

_STAGES = ("read", "tokenize", "infer", "label", "write")


def job_figures(run: dict[str, Any], rows: int, seconds: float) -> dict[str, Any]:
    """Return the results of one round of the job.

    Args:
        run: Content of run.json.
        rows: Number of rows of the dataset.
        seconds: Duration of the job in seconds.
    """
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


def shares(job: float, engine: Spread, matrices: Spread, flops_per_token: int) -> dict[str, Any]:
    """Return the speeds of engine and matrix products, and the shares that the job and the engine reach.

    No share is above 1: a larger value only means that the machine became faster or slower between two measurements.

    Args:
        job: Speed of a single process of the job, in tokens/s.
        engine: Speed of the engine alone, in tokens/s.
        matrices: Speed of matrix products, in FLOP/s.
        flops_per_token: Number of floating-point operations of the model for a token.
    """

    def share(part: float, whole: float) -> float:
        return round(min(1.0, part / max(whole, 1e-9)), 3)

    return {
        "engine_tokens_per_second": round(engine.median, 1),
        "engine_rounds": [round(one, 1) for one in engine.rounds],
        "job_share_of_engine": share(job, engine.median),
        "matrix_flops_per_second": round(matrices.high),
        "engine_share_of_matrix_products": share(engine.median * flops_per_token, matrices.high),
        "job_share_of_matrix_products": share(job * flops_per_token, matrices.high),
    }


def peer_figures(program: Baseline, job: Spread, speeds: Spread) -> dict[str, Any]:
    """Return the results of a baseline.

    `times` is the median speed of the job divided by the median speed of the baseline. `times_lowest` and
    `times_highest` compare the slowest round of one with the fastest round of the other.

    Args:
        program: The baseline.
        job: Speed of the job, in rows/s.
        speeds: Speed of the baseline, in rows/s.
    """
    return {
        "rows": program.rows,
        "batch": program.batch,
        **speeds.as_json("rows_per_second"),
        "times": round(job.median / speeds.median, 2),
        "times_lowest": round(job.low / speeds.high, 2),
        "times_highest": round(job.high / speeds.low, 2),
    }
