"""What a cluster adds: two labellers of one core each on Ray beside two runs of one core each without it.

    python tests/benchmarks/cluster.py ARCHIVE [--text-column C] [--rows 100000] [--rounds 1]

An archive is made of the given one's texts and scored by `emojob score --engine ray --ray-cores 1` on two cores; each
half of it by `emojob score` on a core of its own, both at the same time. Rows/s are of the whole command, what it
starts with included, and of its run alone, as run.json has them. Prints a table; the share is of the two runs added up.
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
    """Start scoring a file on some of the processor's cores."""
    command = [sys.executable, "-m", "emojob", "score", str(file), "--quiet", "--precision", "fp32", *options]
    cpus = ",".join(map(str, cores))
    return subprocess.Popen(["taskset", "-c", cpus, *command], cwd=Path(__file__).parents[2])


def finish(process: subprocess.Popen[bytes]) -> None:
    """Wait for a run, which must end well."""
    if process.wait():
        raise SystemExit(f"a run ended with {process.returncode}")


def run_seconds(file: Path) -> float:
    """Seconds of a run by its run.json."""
    run = json.loads((file.parent / f"{file.stem}.emotions" / "_emojob" / "run.json").read_text())
    return float(run["this_run"]["seconds"])


def write(texts: pa.Array, file: Path) -> Path:
    """An archive of some texts."""
    pq.write_table(pa.table({"text": texts}), file, row_group_size=10_000)
    return file


@click.command()
@click.argument("archive")
@click.option("--text-column")
@click.option("--rows", type=int, default=100_000)
@click.option("--rounds", type=int, default=1)
def main(archive: str, text_column: str | None, rows: int, rounds: int) -> None:
    """Print a table: rows/s of two runs added up, of the cluster, and the cluster's share."""
    texts = first_texts(archive, text_column, rows)
    cores = sorted(os.sched_getaffinity(0))[:2]
    click.echo("| round | two runs | on Ray | share | with the start |\n| --- | --- | --- | --- | --- |")
    for i in range(rounds):
        with tempfile.TemporaryDirectory(prefix="emojob-cluster-") as name:
            folder, half = Path(name), len(texts) // 2
            halves = [write(texts[:half], folder / "a.parquet"), write(texts[half:], folder / "b.parquet")]
            whole = write(texts, folder / "whole.parquet")
            begun, alone = time.perf_counter(), 0.0
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
