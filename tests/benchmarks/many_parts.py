"""Measure the driver of a large job without its rows: read 100,000 markers, plan, add up the counts.

    python tests/benchmarks/many_parts.py [--parts 100000] [--inputs 1000]

Makes an OUT with every part complete except each hundredth. A complete part has a real marker and a file of one byte
instead of its rows. A second process then does the work of a run: it reads the markers, finds the missing rows,
divides them and the whole dataset into shards, adds up the counts and writes run.json. Prints the seconds of each
step and the peak memory.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import pyarrow as pa

from emojob.pipeline.output.archive_folder import ArchiveFolder
from emojob.pipeline.output.layout import part_paths
from emojob.pipeline.output.part_writer import PART_ROWS
from emojob.pipeline.reading.dataset import Dataset
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.resume import InputProgress, Span
from emojob.pipeline.reading.row_batches import SPLIT_ROWS, SplitPoint
from emojob.pipeline.reading.source import Source
from emojob.pipeline.running.ray.shards import make_shards
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.schemas.manifest import CONFIDENCE_BINS, Counts, PartMarker


def sources(inputs: int, parts: int) -> list[Source]:
    """Return inputs of `parts` parts each, with split points as inspecting the files gives them."""
    rows = parts * PART_ROWS
    return [
        Source(
            InputFile(Path(f"/logs/{i:06d}.csv"), "csv", None),
            60 * rows,
            f"{i:064x}",
            pa.schema([("text", pa.string())]),
            "utf-8",
            rows,
            split_points=tuple(SplitPoint(row, 60 * row) for row in range(SPLIT_ROWS, rows, SPLIT_ROWS)),
        )
        for i in range(inputs)
    ]


def write(out: Path, inputs: int, parts: int) -> None:
    """Write the complete parts of an OUT."""
    rng = np.random.default_rng(0)
    (out / "_emojob" / "parts").mkdir(parents=True)
    for number, source in enumerate(sources(inputs, parts)):
        for i in range(parts):
            if (number * parts + i) % 100 == 99:
                continue
            emotions = dict(zip(DEFAULT_LABELS, rng.multinomial(PART_ROWS, [1 / 6] * 6).tolist(), strict=True))
            bins = np.bincount(
                (rng.beta(4, 2, PART_ROWS // 40) * CONFIDENCE_BINS).astype(int), minlength=CONFIDENCE_BINS
            )
            counts = Counts(scored=PART_ROWS, emotions=emotions, confidences=(40 * bins).tolist())
            paths = part_paths(out, number, i * PART_ROWS)
            marker = PartMarker(
                part=paths.part.name,
                part_bytes=1,
                input=source.file.name,
                input_bytes=source.size,
                input_sha256=source.sha256,
                encoding="utf-8",
                first_row=i * PART_ROWS,
                stop_row=(i + 1) * PART_ROWS,
                last=i == parts - 1,
                fingerprint="0123456789abcdef",
                counts=counts,
            )
            paths.part.write_bytes(b".")
            paths.marker.write_text(json.dumps(marker.as_json(), ensure_ascii=False, indent=1))


def drive(out: Path, inputs: int, parts: int) -> None:
    """Do the work of a run with OUT, and print the seconds of each step."""
    dataset = Dataset(sources(inputs, parts), pa.schema([("text", pa.string())]), "text")
    seconds, begun = {}, time.perf_counter()

    def done(step: str) -> None:
        nonlocal begun
        seconds[step], begun = time.perf_counter() - begun, time.perf_counter()

    output = ArchiveFolder(out)
    output.read_markers()
    done("read markers")
    inputs_progress = output.inputs_progress(dataset.sources)
    done("find missing rows")
    missing = sum(1 for _ in make_shards(dataset, inputs_progress, None, parts * inputs * PART_ROWS // 100, 100))
    done("shards of the missing rows")
    begin = [InputProgress(i, [Span()], 0, Counts(), []) for i in range(inputs)]
    everything = sum(1 for _ in make_shards(dataset, begin, None, parts * inputs * PART_ROWS, 100))
    done("shards of the whole dataset")
    output.sweep()
    done("remove leftover files")
    counts = Counts()
    for progress in inputs_progress:
        counts.add(progress.counts)
    output.write_rejects()
    output.write_run({"counts": counts.as_json(), "state": "complete"})
    done("add up and write")
    for step, spent in seconds.items():
        click.echo(f"| {step} | {spent:.1f} s |")
    what = f"{counts.read:,} rows in {len(output.markers):,} parts, {missing:,} and {everything:,} shards"
    click.echo(f"| all, for {what} | {sum(seconds.values()):.1f} s |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    click.echo(f"| peak memory | {peak / 1e6:,.0f} MB |")


@click.command()
@click.option("--parts", type=int, default=100_000)
@click.option("--inputs", type=int, default=1_000)
@click.option("--out", hidden=True)
def main(parts: int, inputs: int, out: str | None) -> None:
    """Print a table of the steps with their seconds, and the peak memory."""
    each = max(1, parts // inputs)
    if out:
        drive(Path(out), inputs, each)
        return
    with tempfile.TemporaryDirectory(prefix="emojob-parts-") as folder:
        write(Path(folder) / "out", inputs, each)
        command = [sys.executable, __file__, "--parts", str(parts), "--inputs", str(inputs), "--out", f"{folder}/out"]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
