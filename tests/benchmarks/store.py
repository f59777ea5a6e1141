"""An archive in an object store, labelled on a cluster of two nodes of which one is killed, beside a run on a disk.

    python tests/benchmarks/store.py ARCHIVE.parquet [--text-column C] [--rows N]

Starts an S3 server and a Ray cluster of two nodes with a core each on this machine, puts the archive into a bucket and
labels it there with the default model; a third of the way one node is killed without a word. The same night is done
again, and the archive is labelled on this machine's disk. Prints the seconds, how many requests of which kind the
server saw, the bytes, and in how many rows the two outputs differ.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[2]))

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.reading.dataset import first_texts
from emojob.pipeline.running.executor import ray_settings
from emojob.pipeline.running.run import Progress, Result, score_archive
from emojob.pipeline.storage.paths import AnyPath, parse_path, seekable
from emojob.schemas.options import ModelOptions, ScoreOptions
from tests.stores import CLIENT, Seen, Store


def read(out: AnyPath) -> pa.Table:
    """The labelled rows, in the order of the input."""
    tables = [pq.read_table(seekable(part_file.file)) for part_file in open_labelled(out).part_files]
    return pa.concat_tables(tables).sort_by("row")


def told(what: str, result: Result, seen: list[Seen], seconds: float) -> None:
    """Print what a run took and asked for."""
    asked = ", ".join(f"{number} {method}" for method, number in Counter(one.method for one in seen).most_common())
    sent, received = sum(one.sent for one in seen), sum(one.received for one in seen)
    click.echo(
        f"| {what} | {result.rows_done:,} rows | {seconds:,.0f} s | {asked} | "
        f"{sent / 1e6:,.1f} MB sent, {received / 1e6:,.1f} MB received |"
    )


@click.command()
@click.argument("archive")
@click.option("--text-column")
@click.option("--rows", type=int, default=2**62)
def main(archive: str, text_column: str | None, rows: int) -> None:
    """Print a table of the runs, and how far their outputs are apart."""
    texts = first_texts(archive, text_column, rows)
    store = Store()
    os.environ |= {**CLIENT, "AWS_ENDPOINT_URL": store.url}
    ray_settings()
    from ray.cluster_utils import Cluster

    sizes = {"num_cpus": 1, "object_store_memory": 100 << 20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=sizes)
    second = cluster.add_node(**sizes)

    def report(progress: Progress) -> None:
        if progress.rows_done > len(texts) / 3 and second.any_processes_alive():
            cluster.remove_node(second, allow_graceful=False)

    with tempfile.TemporaryDirectory(prefix="emojob-store-") as folder:
        log = Path(folder) / "log.parquet"
        pq.write_table(pa.table({"row": np.arange(len(texts)), "text": texts}), log, row_group_size=65_536)
        bucket = parse_path(store.bucket())
        (bucket / "log.parquet").write_bytes(log.read_bytes())
        options, model = ScoreOptions(ray_address=cluster.address), ModelOptions(engine="ray")
        for what in ("two nodes, one killed", "again"):
            begun, first = time.perf_counter(), len(store.seen)
            result = score_archive([f"{bucket}/log.parquet"], bucket / "out", options, model, report)
            told(what, result, store.seen[first:], time.perf_counter() - begun)
        cluster.shutdown()
        engine = result.run["engine"]
        same = ModelOptions(engine=engine["engine"], precision=engine["precision"])
        begun = time.perf_counter()
        local = score_archive([str(log)], Path(folder) / "out", model_options=same)
        told("this machine, on a disk", local, [], time.perf_counter() - begun)
        there, here = read(bucket / "out"), read(Path(folder) / "out")
    store.end()
    if not (there["row"].equals(here["row"]) and there["text"].equals(here["text"])):
        raise AssertionError("rows were lost, or changed")
    labels = [table["emotion"].cast(pa.string()).fill_null("").to_numpy() for table in (there, here)]
    apart = np.abs(there["confidence"].fill_null(0).to_numpy() - here["confidence"].fill_null(0).to_numpy())
    click.echo(
        f"{int((labels[0] != labels[1]).sum()):,} labels differ; confidences are {apart.max():.1e} apart at most"
    )


if __name__ == "__main__":
    main()
