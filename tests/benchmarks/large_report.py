"""Measure the reports of a large archive, which is made by repeating a labelled archive.

    python tests/benchmarks/large_report.py OUT [--rows 50000000] [--work FOLDER] [--memory GIB]

OUT is an output of `emojob score`. Its rows are repeated with other conversation ids (a number is appended) and other
days (up to 60 later), so that the number of conversations and values is realistic. Prints the seconds of each
aggregate and of a whole report, and the peak memory. The large archive stays in FOLDER.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import click
import duckdb
import pyarrow.parquet as pq

from emojob.pipeline.output.labelled_archive import LabelledArchive, open_labelled
from emojob.pipeline.report.figures import make_figures
from emojob.pipeline.warehouse import aggregates, database
from emojob.pipeline.warehouse.sql_text import identifier
from emojob.schemas.manifest import PartMarker

PART_ROWS = 250_000

#: The most frequent aggregates, in order of dependency; each reads all rows.
QUICK = ("hours", "label_hours", "emotions", "days", "hours_of_day", "hours_of_week", "quality")


def enlarge(source: LabelledArchive, out: Path, rows: int) -> None:
    """Write a labelled archive of at least `rows` rows; existing parts are kept."""
    (out / "_emojob" / "parts").mkdir(parents=True, exist_ok=True)
    run = {**source.run, "text_column": source.text_column, "prefix": source.prefix}
    (out / "_emojob" / "run.json").write_text(json.dumps(run))
    (first, *_) = source.part_files
    with duckdb.connect() as db:
        db.read_parquet([str(part_file.file) for part_file in source.part_files]).create("source")
        each = db.table("source").count("*").fetchall()[0][0]
        copies, changed = max(1, PART_ROWS // each), []
        if source.conversation_column:
            name = identifier(source.conversation_column)
            changed.append(f"{name} || '-' || copy AS {name}")
        if source.time_column:
            name = identifier(source.time_column)
            changed.append(f"{name} + to_days((copy * 31 % 60)::INTEGER) AS {name}")
        replace = f"REPLACE ({', '.join(changed)})" if changed else ""
        for number in range(-(-rows // (copies * each))):
            part = out / f"part-00000-{number * copies * each:012d}.parquet"
            marker = out / "_emojob" / "parts" / f"{part.stem}.json"
            if marker.exists():
                continue
            copy = f"range({number * copies}, {(number + 1) * copies}) t(copy)"
            query = f"SELECT * EXCLUDE (copy) {replace} FROM {copy}, source"
            db.sql(query).write_parquet(str(part), compression="zstd", row_group_size=122_880)
            counts = dict.fromkeys(("scored", "truncated", "empty", "rejected"), 0)
            plain = {
                "part": part.name, "part_bytes": part.stat().st_size, "input": str(first.input), "input_bytes": 0,
                "input_sha256": "", "encoding": None, "first_row": number * copies * each,
                "stop_row": (number + 1) * copies * each, "last": False, "fingerprint": "", "format": 1,
                "counts": {**counts, "emotions": {}, "confidences": {}},
            }  # fmt: skip
            marker.write_text(json.dumps(PartMarker.from_json(plain).as_json()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--work", type=Path, default=Path("large.emotions"))
    parser.add_argument("--memory", type=float, default=3.0, help="memory limit of DuckDB in GiB")
    given = parser.parse_args()
    begun = time.perf_counter()
    enlarge(open_labelled(given.out), given.work, given.rows)
    archive = open_labelled(given.work)
    rows = sum(pq.read_metadata(part_file.file).num_rows for part_file in archive.part_files)
    click.echo(f"{rows:,} rows in {len(archive.part_files)} parts, made in {time.perf_counter() - begun:,.0f} s")
    with database.open_database(archive, memory=int(given.memory * 2**30)) as db:
        spent = {name: seconds(lambda name=name: compute(db, name)) for name in aggregates.AGGREGATES}
    for name, took in spent.items():
        click.echo(f"{name:16} {took:6.1f} s")
    click.echo(f"counts, days, hours, quality {sum(spent[name] for name in QUICK):.1f} s")
    took = seconds(lambda: make_figures(archive))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    click.echo(f"a whole report {took:.1f} s, peak memory {peak:.2f} GiB")


def compute(db: duckdb.DuckDBPyConnection, name: str) -> None:
    """Compute an aggregate; store it as a table if other aggregates read it."""
    if name in ("hours", "label_hours", "extremes", "talks", "turns", "conversations", "soured"):
        aggregates.store(db, name)
    else:
        aggregates.rows_of(db, name)


def seconds(work) -> float:  # type: ignore[no-untyped-def]
    """Return the seconds of a call."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
