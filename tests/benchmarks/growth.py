"""What a row costs as the archive grows: time per row and memory should stay as they are.

    python tests/benchmarks/growth.py ARCHIVE [--text-column C] [--rows 70000 --rows 700000 --rows 7000000]

Makes archives of so many rows from a given one, its texts again and again with a running number behind each, so that
none repeats another; scores each with `emojob score` in a process of its own, and prints a table. The smallest is
scored once before, unmeasured, for what is worked out once for a model and a machine.
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


def write_archive(texts: pa.Array, rows: int, file: Path) -> None:
    """So many rows, made of the texts again and again, each time with another number behind them."""
    with pq.ParquetWriter(file, pa.schema({"text": pa.large_string()}), compression="zstd") as writer:
        for start in range(0, rows, len(texts)):
            numbers = pa.array(range(start, min(start + len(texts), rows)), pa.int64()).cast(pa.large_string())
            some = pc.binary_join_element_wise(
                texts[: len(numbers)].fill_null(""), numbers, pa.scalar(" ", pa.large_string())
            )
            writer.write_table(pa.table({"text": some}), row_group_size=100_000)


def score(file: Path, out: Path) -> tuple[float, int]:
    """Seconds, and peak memory in bytes, of scoring an archive."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "emojob", "score", str(file), "-o", str(out), "--quiet"]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"scoring {file} ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - begun, usage.ru_maxrss * 1024


@click.command()
@click.argument("archive")
@click.option("--text-column")
@click.option("--rows", multiple=True, type=int, default=(70_000, 700_000, 7_000_000))
def main(archive: str, text_column: str | None, rows: tuple[int, ...]) -> None:
    """Print a table: rows, seconds, microseconds a row, rows/s, peak memory."""
    texts = first_texts(archive, text_column, 10_000_000)
    click.echo("| rows | time | time a row | rows/s | peak memory |\n| --- | --- | --- | --- | --- |")
    for i, number in enumerate([min(rows), *rows]):
        with tempfile.TemporaryDirectory(prefix="emojob-growth-") as folder:
            file = Path(folder) / "rows.parquet"
            write_archive(texts, number, file)
            spent, memory = score(file, Path(folder) / "out")
        each, rate = 1e6 * spent / number, number / spent
        if i:
            click.echo(f"| {number:,} | {spent:,.0f} s | {each:,.0f} µs | {rate:,.0f} | {memory / 1e6:,.0f} MB |")


if __name__ == "__main__":
    main()
