"""Measure the cost of Ray: two workers with one core each, compared with two separate runs with one core each.

    python tests/benchmarks/cluster.py DATASET [--text-column C] [--rows 100000] [--rounds 1]

Makes a dataset of the given one's texts. `emojob score --engine ray --ray-cores 1` scores it on two cores; two
separate `emojob score` commands score one half each on one core, both at the same time. Prints a table of rows/s: of
the runs (from run.json) and, for the last column, of the whole commands with their start. The share is Ray's rows/s
divided by the sum of the two runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.parquet as pq

from emojob.pipeline.reading.dataset import first_texts


def begin(file: Path, cores: list[int], *options: str) -> subprocess.Popen[bytes]:
    """Start scoring a file on the given cores."""
    command = [sys.executable, "-m", "emojob", "score", str(file), "--quiet", "--precision", "fp32", *options]
    cpus = ",".join(map(str, cores))
    return subprocess.Popen(["taskset", "-c", cpus, *command], cwd=Path(__file__).parents[2])


def finish(process: subprocess.Popen[bytes]) -> None:
    """Wait for a run; exit if it failed."""
    if process.wait():
        raise SystemExit(f"a run ended with exit code {process.returncode}")


def run_seconds(file: Path) -> float:
    """Return the seconds of a run from its run.json."""
    run = json.loads((file.parent / f"{file.stem}.emotions" / "_emojob" / "run.json").read_text())
    return float(run["this_run"]["seconds"])


def write(texts: pa.Array, file: Path) -> Path:
    """Write texts as a dataset; return its file."""
    pq.write_table(pa.table({"text": texts}), file, row_group_size=10_000)
    return file


@click.command()
@click.argument("dataset")
@click.option("--text-column")
@click.option("--rows", type=int, default=100_000)
@click.option("--rounds", type=int, default=1)
def main(dataset: str, text_column: str | None, rows: int, rounds: int) -> None:
    """Print a table: the sum of rows/s of two runs, rows/s of the cluster, and the cluster's share."""
    texts = first_texts(dataset, text_column, rows)
    cores = sorted(os.sched_getaffinity(0))[:2]
    click.echo("| round | two runs | on Ray | share | with the start |\n| --- | --- | --- | --- | --- |")
    for i in range(rounds):
        with tempfile.TemporaryDirectory(prefix="emojob-cluster-") as name:
            folder, half = Path(name), len(texts) // 2
            halves = [write(texts[:half], folder / "a.parquet"), write(texts[half:], folder / "b.parquet")]
            whole = write(texts, folder / "whole.parquet")
            begun = time.perf_counter()
            runs = [begin(file, [core]) for file, core in zip(halves, cores, strict=True)]
            for process in runs:
                finish(process)
            with_start = time.perf_counter() - begun
            alone = sum(half / run_seconds(file) for file in halves)
            begun = time.perf_counter()
            finish(begin(whole, cores, "--engine", "ray", "--ray-cores", "1"))
            ray_with_start = time.perf_counter() - begun
            on_ray = len(texts) / run_seconds(whole)
        click.echo(
            f"| {i + 1} | {alone:,.0f} rows/s | {on_ray:,.0f} rows/s | {on_ray / alone:.2f} | "
            f"{with_start / ray_with_start:.2f} |"
        )


if __name__ == "__main__":
    main()
