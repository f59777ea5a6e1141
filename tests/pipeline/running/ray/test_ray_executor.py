"""A run on a Ray cluster of two nodes gives the same result as on one machine, also when processes die."""

from __future__ import annotations

import datetime
import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.nightly.config import InputConfig, NightlyConfig, OutputConfig, ScoreConfig
from emojob.pipeline.nightly.night import run_night
from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.running.ray import dispatcher
from emojob.pipeline.running.run import Progress, score_dataset
from emojob.pipeline.storage.paths import AnyPath, parse_path, seekable
from emojob.schemas.errors import DataError, OptionError, WorkerError
from emojob.schemas.options import ModelOptions, ScoreOptions
from tests.stores import CLIENT, at_random

pytestmark = pytest.mark.slow

ROWS = 130_000  # about four shards


@pytest.fixture(scope="module")
def nodes(server) -> Iterator[Nodes]:
    """A cluster on this machine: two nodes with one core each, configured for the object store."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**CLIENT, "AWS_ENDPOINT_URL": server.url}.items():
            patch.setenv(name, value)
        made = Nodes()
        yield made
        made.end()


@dataclass
class Nodes:
    """The nodes of a cluster, which a test may kill."""

    def __post_init__(self) -> None:
        os.environ |= {"RAY_worker_niceness": "0", "RAY_USAGE_STATS_ENABLED": "0"}
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(initialize_head=True, head_node_args=self.sizes)
        self.second = self.cluster.add_node(**self.sizes)

    @property
    def sizes(self) -> dict[str, object]:
        return {"num_cpus": 1, "object_store_memory": 100 << 20, "include_dashboard": False}

    @property
    def options(self) -> ScoreOptions:
        return ScoreOptions(ray_address=self.cluster.address)

    def lose_one(self) -> None:
        """Kill a node as a power cut does, without notice to its workers or to the driver."""
        self.cluster.remove_node(self.second, allow_graceful=False)

    def restore(self) -> None:
        """Start the second node again if it was killed."""
        if not self.second.any_processes_alive():
            self.second = self.cluster.add_node(**self.sizes)

    def end(self) -> None:
        import ray

        ray.shutdown()
        self.cluster.shutdown()


@pytest.fixture
def model(tiny_model) -> ModelOptions:
    return ModelOptions(model=str(tiny_model), precision="fp32", engine="ray")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    samples = sample_texts()
    texts = [None if i % 501 == 500 else f"{samples[i % len(samples)][:24]} {i}" for i in range(ROWS)]
    file = tmp_path_factory.mktemp("logs") / "log.parquet"
    pq.write_table(pa.table({"id": range(ROWS), "text": texts}), file, row_group_size=10_000)
    return file


@pytest.fixture(scope="module")
def alone(dataset, tiny_model, tmp_path_factory) -> pa.Table:
    """The labelled rows of a run on one machine."""
    out = tmp_path_factory.mktemp("alone") / "out"
    score_dataset([str(dataset)], out, model_options=ModelOptions(model=str(tiny_model), precision="fp32"))
    return read(out)


def read(out: AnyPath) -> pa.Table:
    """The labelled rows, in the order of the input."""
    tables = [pq.read_table(seekable(part.file)) for part in open_labelled(out).part_files]
    return pa.concat_tables(tables).replace_schema_metadata(None)


def assert_same(found: pa.Table, expected: pa.Table) -> None:
    """Check for the same rows in the same order, with the same probabilities except for rounding."""
    assert found.schema.equals(expected.schema)
    for name in expected.schema.names:
        if pa.types.is_floating(expected.schema.field(name).type):
            apart = abs(found[name].fill_null(-1).to_numpy() - expected[name].fill_null(-1).to_numpy())
            assert (apart != apart).sum() == 0
            assert apart.max() < 1e-4, name
        elif name != "emotion":  # two labels may be as likely as each other
            assert found[name].equals(expected[name]), name
    differ = [a != b for a, b in zip(found["emotion"].to_pylist(), expected["emotion"].to_pylist(), strict=True)]
    assert sum(differ) <= 5


def when(condition: Callable[[Progress], bool], act: Callable[[], object]) -> Callable[[Progress], None]:
    """Return a `report` that acts once, when the progress meets the condition."""
    done: list[object] = []

    def report(progress: Progress) -> None:
        if not done and condition(progress):
            done.append(True)
            act()

    return report


def test_text_files_are_divided_and_rejects_are_joined(nodes, model, tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    lines = [f'{i},"여러 줄의\n말, {i}"\n' if i % 3 else f"{i},한 줄의 말 {i}\n" for i in range(70_000)]
    lines[50_000] = "50000,칸이,너무,많은 줄\n"
    (folder / "a.csv").write_text("id,text\n" + "".join(lines))
    with gzip.open(folder / "b.csv.gz", "wt") as file:
        file.write("id,text\n" + "".join(f"{i},압축된 말 {i}\n" for i in range(62_000)))
    (folder / "c.jsonl").write_text("".join(json.dumps({"id": str(i), "text": f"말 {i}"}) + "\n" for i in range(500)))
    notes: list[str] = []
    seen: list[int] = []
    out = tmp_path / "out"
    result = score_dataset(
        [str(folder)], out, nodes.options, model, lambda progress: seen.append(progress.rows_done), notes.append
    )
    assert (result.run["engine"]["within"], result.run["engine"]["processes"]) == ("ray", 2)
    assert result.run["this_run"]["rows_with_text"] == result.counts.labelled
    assert {"read", "tokenize", "infer", "write"} <= set(result.run["this_run"]["stage_seconds"])
    assert seen == sorted(seen)
    assert len(set(seen)) > 3
    assert score_dataset([str(folder)], out, nodes.options, model).rows_done == 0
    assert not [file for file in out.rglob("*") if file.name.endswith(".tmp")]
    local = tmp_path / "local"
    score_dataset([str(folder)], local, model_options=replace(model, engine="auto"))
    assert_same(read(out), read(local))
    assert result.counts.rejected == 1
    rejects = [pq.read_table(folder / "_emojob/rejects.parquet") for folder in (out, local)]
    assert rejects[0].equals(rejects[1])
    assert any("b.csv.gz" in note and "one worker" in note for note in notes)


def test_no_row_is_lost_when_a_node_dies_and_out_is_in_an_object_store(nodes, store, dataset, model, alone):
    bucket = parse_path(store.bucket())
    (bucket / "log.parquet").write_bytes(dataset.read_bytes())
    for file in Path(model.model).iterdir():
        if file.is_file():
            (bucket / "model" / file.name).write_bytes(file.read_bytes())
    model = replace(model, model=f"{bucket}/model")
    report = when(lambda progress: progress.rows_done > 5_000, nodes.lose_one)
    begun = len(store.seen)
    try:
        with store.failing(at_random(0, 0.05)):
            result = score_dataset([f"{bucket}/log.parquet"], bucket / "out", nodes.options, model, report)
        assert not nodes.second.any_processes_alive()
    finally:
        nodes.restore()
    assert_same(read(bucket / "out"), alone)
    assert result.counts.read == ROWS
    assert {"503", "cut", "lost"} & {seen.fault for seen in store.seen[begun:]}
    assert score_dataset([f"{bucket}/log.parquet"], bucket / "out", nodes.options, model).rows_done == 0


def test_a_shard_at_which_several_workers_die_fails_the_job(nodes, dataset, model, tmp_path, monkeypatch):
    def kill() -> None:
        for process in psutil.process_iter(["cmdline"]):
            if (process.info["cmdline"] or [""])[0].startswith("ray::Worker"):
                process.kill()

    def call(worker, method, *arguments):
        called(worker, method, *arguments)
        if method == "label":
            threading.Timer(0.3, kill).start()

    called = dispatcher.WorkerHandle.call
    monkeypatch.setattr(dispatcher.WorkerHandle, "call", call)
    monkeypatch.setattr(dispatcher, "_MAX_DEATHS", 2)
    with pytest.raises(WorkerError, match=r"2 workers died while they labelled .*log\.parquet"):
        score_dataset([str(dataset)], tmp_path / "out", nodes.options, model)


def test_parts_of_a_worker_that_is_considered_dead_do_not_count_twice(
    nodes, dataset, model, alone, tmp_path, monkeypatch
):
    """The dispatcher gives up a worker that goes on writing, and gives the shard to another worker."""
    lost: list[object] = []

    def take(self, worker, call):
        if not lost and worker.shard and worker.rows:
            lost.append(worker.actor)  # it is not killed
            shard, worker.shard, worker.rows = worker.shard, None, 0
            self.deaths[shard.start] = 1
            self.shards.appendleft(shard)
            worker.calls.clear()
            worker.actor = self.nodes.start_worker(self.device)
            worker.is_ready = False
            worker.call("ready", self.setup, self.memo_snapshot)
            return []
        return taken(self, worker, call)

    taken = dispatcher.Dispatcher._take
    monkeypatch.setattr(dispatcher.Dispatcher, "_take", take)
    monkeypatch.setattr(dispatcher, "_TICK", 0.05)
    out = tmp_path / "out"
    result = score_dataset([str(dataset)], out, replace(nodes.options, ray_cores=1), model)
    assert lost
    assert_same(read(out), alone)
    assert result.counts.read == ROWS
    assert score_dataset([str(dataset)], out, nodes.options, model).rows_done == 0


_DRIVER = """
import sys
from pathlib import Path
from emojob.pipeline.running.run import score_dataset
from emojob.schemas.options import ModelOptions, ScoreOptions
options = ScoreOptions(ray_address=sys.argv[4])
model = ModelOptions(model=sys.argv[3], precision="fp32", engine="ray")
score_dataset([sys.argv[1]], Path(sys.argv[2]), options, model, lambda progress: print(progress.rows_done, flush=True))
"""


def test_a_killed_run_goes_on_when_its_command_runs_again(nodes, dataset, model, alone, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-c", _DRIVER, str(dataset), str(out), str(model.model), str(nodes.cluster.address)]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in driver.stdout:
        if int(line) > 40_000:
            driver.send_signal(signal.SIGKILL)
            break
    driver.wait()
    driver.stdout.close()
    kept = {file.name: file.stat().st_mtime_ns for file in (out / "_emojob/parts").glob("*.json")}
    result = score_dataset([str(dataset)], out, nodes.options, model)
    assert_same(read(out), alone)
    assert result.rows_done < ROWS
    assert kept
    assert {name: (out / "_emojob/parts" / name).stat().st_mtime_ns for name in kept} == kept


def test_an_error_on_a_node_is_the_same_line_as_on_one_machine(nodes, model, tmp_path):
    good = tmp_path / "good.parquet"
    pq.write_table(pa.table({"text": [f"말 {i}" * 9 for i in range(9_000)]}), good, compression="none")
    content = bytearray(good.read_bytes())
    content[4:2000] = bytes(1996)
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.parquet is damaged") as remote:
        score_dataset([str(bad)], tmp_path / "out", nodes.options, model)
    with pytest.raises(DataError) as local:
        score_dataset([str(bad)], tmp_path / "local", model_options=replace(model, engine="auto"))
    assert str(remote.value) == str(local.value)
    (tmp_path / "empty.csv").touch()
    with pytest.raises(DataError, match=r"empty\.csv is empty"):
        score_dataset([str(tmp_path / "empty.csv")], tmp_path / "out", nodes.options, model)


def test_options_that_the_cluster_cannot_meet_are_rejected(nodes, dataset, model, tmp_path):
    with pytest.raises(OptionError, match="the cluster has no GPU"):
        score_dataset([str(dataset)], tmp_path / "out", nodes.options, replace(model, device="cuda"))
    with pytest.raises(OptionError, match="no node of the cluster has the 9 cores"):
        score_dataset([str(dataset)], tmp_path / "out", replace(nodes.options, ray_cores=9), model)
    assert not (tmp_path / "out").exists()


def test_ctrl_c_writes_the_labelled_rows_and_the_command_goes_on_later(nodes, dataset, model, alone, tmp_path):
    command = [
        sys.executable,
        "-m",
        "emojob",
        "score",
        str(dataset),
        "-o",
        str(tmp_path / "out"),
        "--log-format",
        "json",
    ]
    command += ["--engine", "ray", "--ray-address", nodes.cluster.address]
    command += ["--model", str(model.model), "--precision", "fp32"]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 100
    while not list((tmp_path / "out").glob("part-*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.05)
    driver.send_signal(signal.SIGINT)
    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 130
    assert "run the same command to continue" in err
    assert not [line for line in (out + err).splitlines() if not line.startswith("{")]
    assert json.loads((tmp_path / "out/_emojob/run.json").read_text())["state"] == "interrupted"
    kept = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "out").glob("part-*.parquet")}
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert_same(read(tmp_path / "out"), alone)
    assert kept
    assert {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in kept} == kept


def test_a_nightly_run_keeps_the_memo_of_the_workers(nodes, model, tmp_path):
    log, memo = tmp_path / "2026-10-01.csv", tmp_path / "memo"
    log.write_text("text\n" + "".join(f"말 {i % 50}\n" for i in range(300)))
    config = NightlyConfig(
        tmp_path / "night.toml",
        InputConfig("{date}.csv"),
        OutputConfig("out"),
        ScoreConfig(
            ScoreOptions(ray_address=nodes.cluster.address, memo=str(memo)),
            ModelOptions(model=model.model, precision="fp32", engine="ray"),
        ),
    )
    night = run_night(config, datetime.date(2026, 10, 1))
    assert [(one.rows, one.was) for one in night.scored] == [(300, "new")]
    assert json.loads((tmp_path / "out/_emojob/run.json").read_text())["engine"]["within"] == "ray"
    assert memo.stat().st_size > 1000
    options = replace(nodes.options, memo=str(memo), limit=200)
    result = score_dataset([str(log)], tmp_path / "other", options, model)
    assert (result.counts.read, len(read(tmp_path / "other"))) == (200, 200)
    assert result.run["this_run"]["inferred_rows"] == 0
    assert result.run["this_run"]["memo_share"] == 1
