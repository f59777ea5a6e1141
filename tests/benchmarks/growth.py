"""Measure time per row and memory for growing datasets: both should stay constant.

    python tests/benchmarks/growth.py DATASET [--text-column C] [--rows 70000 --rows 700000 --rows 7000000]

Makes datasets of these sizes from the texts of a given one, repeated with a running number, so that no text repeats.
`emojob score` scores each in its own process. Prints a table. The smallest dataset is scored once before without
measurement, since some work is done once for each model and machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emojob.pipeline.reading.dataset import first_texts


def write_dataset(texts: pa.Array, rows: int, file: Path) -> None:
    """Write a dataset of `rows` rows: the texts, repeated, each with a running number."""
    with pq.ParquetWriter(file, pa.schema({"text": pa.large_string()}), compression="zstd") as writer:
        for start in range(0, rows, len(texts)):
            numbers = pa.array(range(start, min(start + len(texts), rows)), pa.int64()).cast(pa.large_string())
            some = pc.binary_join_element_wise(
                texts[: len(numbers)].fill_null(""), numbers, pa.scalar(" ", pa.large_string())
            )
            writer.write_table(pa.table({"text": some}), row_group_size=100_000)


def score(file: Path, out: Path) -> tuple[float, int]:
    """Return the seconds and the peak memory in bytes of scoring a dataset."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "emojob", "score", str(file), "-o", str(out), "--quiet"]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"scoring {file} ended with exit code {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - begun, usage.ru_maxrss * 1024


@click.command()
@click.argument("dataset")
@click.option("--text-column")
@click.option("--rows", multiple=True, type=int, default=(70_000, 700_000, 7_000_000))
def main(dataset: str, text_column: str | None, rows: tuple[int, ...]) -> None:
    """Print a table: rows, seconds, microseconds a row, rows/s, peak memory."""
    texts = first_texts(dataset, text_column, 10_000_000)
    click.echo("| rows | time | time a row | rows/s | peak memory |\n| --- | --- | --- | --- | --- |")
    for i, number in enumerate([min(rows), *rows]):
        with tempfile.TemporaryDirectory(prefix="emojob-growth-") as folder:
            file = Path(folder) / "rows.parquet"
            write_dataset(texts, number, file)
            spent, memory = score(file, Path(folder) / "out")
        each, rate = 1e6 * spent / number, number / spent
        if i:
            click.echo(f"| {number:,} | {spent:,.0f} s | {each:,.0f} µs | {rate:,.0f} | {memory / 1e6:,.0f} MB |")


if __name__ == "__main__":
    main()
