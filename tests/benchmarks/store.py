"""Measure a dataset in an object store on a cluster that loses a node, compared with a run on a local disk.

    python tests/benchmarks/store.py DATASET.parquet [--text-column C] [--rows N]

Starts an S3 server and a Ray cluster of two nodes with one core each on this machine, puts the dataset into a bucket
and labels it there with the default model. One node is killed after a third of the rows. Then the same run is
repeated, and the dataset is labelled on the local disk. Prints the seconds, the number of requests by method, the
bytes, and the differences between the two outputs.
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
from emojob.pipeline.running.ray.environment import set_ray_environment
from emojob.pipeline.running.run import Progress, Result, score_dataset
from emojob.pipeline.storage.paths import AnyPath, parse_path, seekable
from emojob.schemas.options import ModelOptions, ScoreOptions
from tests.stores import CLIENT, Seen, Store


def read(out: AnyPath) -> pa.Table:
    """Return the labelled rows in the order of the input."""
    tables = [pq.read_table(seekable(part_file.file)) for part_file in open_labelled(out).part_files]
    return pa.concat_tables(tables).sort_by("row")


def print_run(what: str, result: Result, seen: list[Seen], seconds: float) -> None:
    """Print the seconds, requests and bytes of a run."""
    requests = ", ".join(f"{number} {method}" for method, number in Counter(one.method for one in seen).most_common())
    sent, received = sum(one.sent for one in seen), sum(one.received for one in seen)
    click.echo(
        f"| {what} | {result.rows_done:,} rows | {seconds:,.0f} s | {requests} | "
        f"{sent / 1e6:,.1f} MB sent, {received / 1e6:,.1f} MB received |"
    )


@click.command()
@click.argument("dataset")
@click.option("--text-column")
@click.option("--rows", type=int, default=2**62)
def main(dataset: str, text_column: str | None, rows: int) -> None:
    """Print a table of the runs, and the differences of their outputs."""
    texts = first_texts(dataset, text_column, rows)
    store = Store()
    os.environ |= {**CLIENT, "AWS_ENDPOINT_URL": store.url}
    set_ray_environment()
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
            result = score_dataset([f"{bucket}/log.parquet"], bucket / "out", options, model, report)
            print_run(what, result, store.seen[first:], time.perf_counter() - begun)
        cluster.shutdown()
        engine = result.run["engine"]
        same = ModelOptions(engine=engine["engine"], precision=engine["precision"])
        begun = time.perf_counter()
        local = score_dataset([str(log)], Path(folder) / "out", model_options=same)
        print_run("this machine, local disk", local, [], time.perf_counter() - begun)
        there, here = read(bucket / "out"), read(Path(folder) / "out")
    store.end()
    if not (there["row"].equals(here["row"]) and there["text"].equals(here["text"])):
        raise AssertionError("rows are missing or changed")
    labels = [table["emotion"].cast(pa.string()).fill_null("").to_numpy() for table in (there, here)]
    apart = np.abs(there["confidence"].fill_null(0).to_numpy() - here["confidence"].fill_null(0).to_numpy())
    click.echo(
        f"{int((labels[0] != labels[1]).sum()):,} labels differ; confidences differ by at most {apart.max():.1e}"
    )


if __name__ == "__main__":
    main()
