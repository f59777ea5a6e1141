"""Several processes label as one does: the same rows in the same order, and nothing is lost when one of them is."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.inference.engines.engine import EngineChoice
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.output import part_writer
from emojob.pipeline.reading import chunks
from emojob.pipeline.running import gpu_worker, local, processes
from emojob.pipeline.running.processes import processes_for
from emojob.pipeline.running.run import score_dataset
from emojob.pipeline.system.prefetch import Stages
from emojob.schemas.errors import Interrupted, ModelError, WorkerError
from emojob.schemas.options import ModelOptions, ScoreOptions


@pytest.fixture
def model(tiny_model) -> ModelOptions:
    return ModelOptions(model=str(tiny_model), precision="fp32", engine="torch")


@pytest.fixture
def dataset(tmp_path):
    file = tmp_path / "log.parquet"
    texts = [f"{text[:30]} {i}" for i in range(3) for text in sample_texts()][:2_000]
    pq.write_table(pa.table({"id": range(len(texts)), "text": texts}), file)
    return file


@pytest.fixture
def two(monkeypatch):
    """Two processes on the CPU, chunks of 100 rows, parts of 500."""
    monkeypatch.setattr(local, "processes_for", lambda *given: 2)
    monkeypatch.setattr(part_writer, "PART_ROWS", 500)
    for name in ("_FIRST_ROWS", "_FEWEST_ROWS", "BATCH_ROWS"):
        monkeypatch.setattr(chunks, name, 100)


@pytest.fixture
def pools(monkeypatch) -> list[processes.GpuWorkers]:
    """The pools that were begun."""
    begun = []
    enter = processes.GpuWorkers.__enter__
    monkeypatch.setattr(processes.GpuWorkers, "__enter__", lambda self: begun.append(self) or enter(self))
    return begun


def read(out: Path) -> pa.Table:
    tables = [pq.read_table(file) for file in sorted(out.glob("part-*.parquet"))]
    return pa.concat_tables(tables).replace_schema_metadata(None)


@pytest.mark.slow
def test_two_processes_come_to_what_one_comes_to(dataset, model, tmp_path, request):
    one = score_dataset([str(dataset)], tmp_path / "one", model_options=model)
    request.getfixturevalue("two")
    both = score_dataset([str(dataset)], tmp_path / "two", model_options=model)
    assert read(tmp_path / "two").equals(read(tmp_path / "one"))
    assert both.counts == one.counts
    assert both.run["engine"]["processes"] == 2
    assert both.run["this_run"]["rows_with_text"] == one.run["this_run"]["rows_with_text"]
    assert both.run["this_run"]["inferred_rows"] >= one.run["this_run"]["inferred_rows"]


@pytest.mark.slow
@pytest.mark.usefixtures("two")
def test_what_both_remember_is_kept(dataset, model, tmp_path):
    options = ScoreOptions(memo=str(tmp_path / "kept.memo"))
    score_dataset([str(dataset)], tmp_path / "one", options, model)
    again = score_dataset([str(dataset)], tmp_path / "two", options, model)
    assert again.run["this_run"]["inferred_rows"] == 0
    assert read(tmp_path / "two").equals(read(tmp_path / "one"))


@pytest.mark.slow
@pytest.mark.usefixtures("two")
def test_a_process_that_is_killed_ends_the_run_and_the_next_one_goes_on(dataset, model, tmp_path, pools):
    def kill_one(progress):
        if progress.rows_done >= 600:
            pools[0]._workers[0].process.kill()

    with pytest.raises(WorkerError, match=r"ended with exit code -9.*to continue"):
        score_dataset([str(dataset)], tmp_path / "out", model_options=model, report=kill_one)
    assert not any(worker.process.is_alive() for worker in pools[0]._workers)
    rest = score_dataset([str(dataset)], tmp_path / "out", model_options=model)
    assert 0 < rest.rows_before < 2_000
    assert read(tmp_path / "out")["id"].to_pylist() == list(range(2_000))


@pytest.mark.slow
@pytest.mark.usefixtures("two")
def test_an_interruption_ends_all_processes_and_keeps_what_they_know(dataset, model, tmp_path):
    stages = Stages()
    options = ScoreOptions(memo=str(tmp_path / "kept.memo"))

    def stop(progress):
        if progress.rows_done >= 600:
            stages.stop()

    with pytest.raises(Interrupted):
        score_dataset([str(dataset)], tmp_path / "out", options, model, report=stop, stages=stages)
    assert not multiprocessing.active_children()
    run = json.loads((tmp_path / "out" / "_emojob" / "run.json").read_text())["this_run"]
    assert run["rows"] >= 600
    assert run["rows_with_text"] >= run["rows"]  # some were under way
    assert 0 < run["inferred_rows"] <= run["rows_with_text"]
    assert {"tokenize", "infer", "label"} <= set(run["stage_seconds"])
    again = score_dataset([str(dataset)], tmp_path / "anew", options, model)
    assert again.run["this_run"]["inferred_rows"] <= 2_000 - run["inferred_rows"]
    score_dataset([str(dataset)], tmp_path / "out", model_options=model)
    assert read(tmp_path / "out")["id"].to_pylist() == list(range(2_000))


@pytest.mark.slow
@pytest.mark.usefixtures("two")
def test_labels_of_a_model_that_was_changed_meanwhile_are_not_taken(dataset, own_model, tmp_path, monkeypatch):
    enter = processes.GpuWorkers.__enter__

    def change(self):
        config = json.loads((own_model / "config.json").read_text())
        config["id2label"]["0"], config["id2label"]["1"] = config["id2label"]["1"], config["id2label"]["0"]
        config["label2id"] = {name: int(i) for i, name in config["id2label"].items()}
        (own_model / "config.json").write_text(json.dumps(config))
        return enter(self)

    monkeypatch.setattr(processes.GpuWorkers, "__enter__", change)
    with pytest.raises(WorkerError, match="changed after the run had started"):
        score_dataset(
            [str(dataset)], tmp_path / "out", model_options=ModelOptions(model=str(own_model), engine="torch")
        )
    assert not list((tmp_path / "out").glob("*"))


def test_only_the_rows_of_a_slice_travel():
    texts = pa.array([f"{i}번째" for i in range(10_000)])
    for kind in (texts, texts.cast(pa.large_string()), texts.dictionary_encode()):
        content = gpu_worker.pack_texts(kind[500:600])
        assert len(content) < 10_000
        assert gpu_worker.unpack_texts(content).to_pylist() == texts[500:600].to_pylist()


def test_a_fault_in_a_process_is_told_without_a_text(tiny_model, monkeypatch):
    def fail(*given):
        raise ValueError("비밀")
        yield

    monkeypatch.setattr(gpu_worker, "label", fail)
    monkeypatch.setattr(gpu_worker, "_listen", lambda *given: None)
    ours, theirs = multiprocessing.Pipe()
    model = Scorer.load(str(tiny_model), ModelOptions(engine="torch"))
    memo = model.memo
    given = gpu_worker.GpuWorkerSetup(3, model.options, 1, model.fingerprint, memo.multipliers, memo.contents())
    gpu_worker.run_worker(given, theirs)
    returning_errors = ours.recv()
    assert isinstance(returning_errors, WorkerError)
    assert "GPU 3 (ValueError)" in str(returning_errors)
    assert "비밀" not in str(returning_errors)
    assert "비밀" in returning_errors.__notes__[0]  # which --debug shows


@pytest.mark.slow
@pytest.mark.usefixtures("two")
def test_an_error_of_a_process_is_raised_as_it_is(dataset, own_model, tmp_path, monkeypatch):
    enter = processes.GpuWorkers.__enter__

    def spoil(self):
        (own_model / "config.json").unlink()
        return enter(self)

    monkeypatch.setattr(processes.GpuWorkers, "__enter__", spoil)
    model = ModelOptions(model=str(own_model), precision="fp32", engine="torch")
    with pytest.raises(ModelError, match=r"config\.json"):
        score_dataset([str(dataset)], tmp_path / "out", model_options=model)


_ALONE = """
import sys
from emojob.pipeline.reading import chunks
from emojob.pipeline.running import local
from emojob.pipeline.running.run import score_dataset
from emojob.schemas.options import ModelOptions
local.processes_for = lambda *given: 2
chunks._FIRST_ROWS = chunks._FEWEST_ROWS = chunks.BATCH_ROWS = 20
if __name__ == "__main__":
    def said(progress):
        print(progress.rows_done, flush=True)
    score_dataset([sys.argv[1]], None, model_options=ModelOptions(model=sys.argv[2], engine="torch"), report=said)
"""


_INTERRUPTED = """
import signal, sys
from emojob.pipeline.reading import chunks
from emojob.pipeline.running import local
from emojob.pipeline.running.run import score_dataset
from emojob.pipeline.system.prefetch import Stages
from emojob.schemas.errors import Interrupted
from emojob.schemas.options import ModelOptions, ScoreOptions
local.processes_for = lambda *given: 2
chunks._FIRST_ROWS = chunks._FEWEST_ROWS = chunks.BATCH_ROWS = 1
if __name__ == "__main__":
    stages = Stages()
    signal.signal(signal.SIGINT, lambda *given: stages.stop())
    print("begun", flush=True)
    def report(progress):
        print(progress.rows_done, flush=True)
    try:
        while not stages.stopping:
            model = ModelOptions(model=sys.argv[2], engine="torch", precision="fp32")
            score_dataset([sys.argv[1]], None, ScoreOptions(fresh=True), model, report, stages=stages)
    except Interrupted:
        pass
    sys.stderr.write("emojob: interrupted\\n")
    sys.exit(130)
"""


def children_of(process: int) -> list[str]:
    """Return the numbers of the processes that a process started."""
    of_threads = Path(f"/proc/{process}/task").glob("*/children")
    return [child for file in of_threads for child in file.read_text().split()]


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Return as soon as the condition holds; fail if it does not hold in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_processes_whose_parent_was_killed_end(dataset, tiny_model, tmp_path):
    script = tmp_path / "alone.py"
    script.write_text(_ALONE)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, str(script), str(dataset), str(tiny_model)]
    parent = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    for line in parent.stdout:
        if int(line) > 0:
            break
    children = children_of(parent.pid)
    assert len(children) >= 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not any(Path(f"/proc/{child}").exists() for child in children))


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["workers start", "workers label"])
def test_ctrl_c_ends_all_without_a_traceback(dataset, tiny_model, tmp_path, moment):
    """A terminal sends it to every process of its group."""
    script = tmp_path / "alone.py"
    script.write_text(_INTERRUPTED)
    command = [sys.executable, str(script), str(dataset), str(tiny_model)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout.readline() == "begun\n"
    if moment == "workers start":
        wait_until(lambda: len(children_of(process.pid)) >= 2)
    else:
        assert any(int(line) > 0 for line in process.stdout)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=180)
    assert (process.returncode, errors) == (130, "emojob: interrupted\n")


def test_there_is_a_process_for_each_gpu_of_a_large_job():
    gpu, cpu = EngineChoice("torch", "cuda", "bf16", ""), EngineChoice("torch", "cpu", "bf16", "")
    assert processes_for(gpu, 4, True) == 4
    assert processes_for(gpu, 4, False) == 1
    assert processes_for(gpu, 1, True) == 1
    assert processes_for(cpu, 4, True) == 1
