"""Only one run at a time writes to an archive in an object store. After a run died, the next run continues it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from emojob.pipeline.output.archive_folder import ArchiveFolder, open_output
from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.running.run import score_dataset
from emojob.pipeline.storage import lease
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.warehouse.query import open_session
from emojob.schemas.errors import BusyError, StorageError
from tests.pipeline.storage.tables import ROWS, assert_same, put, read

# -- leases -----------------------------------------------------------------------------------------------------------


def test_two_runs_do_not_share_an_output(bucket):
    message = rf"process {os.getpid()} on .* run the same command again in"
    with open_output(bucket / "out"), pytest.raises(BusyError, match=message), open_output(bucket / "out"):
        pass
    assert not bucket.list_objects()
    with open_output(bucket / "out"):
        pass


@pytest.mark.parametrize("fault", ["cut", "lost", "503"])
def test_a_lease_is_taken_although_the_response_was_lost(bucket, store, fault):
    faults = iter([fault])
    with store.failing(lambda seen: next(faults, "") if seen.method == "PUT" else ""), open_output(bucket / "out"):
        assert not next(faults, "")


@pytest.mark.parametrize(("change", "is_free"), [
    ({"process": 2**22 + 1}, True),  # of this machine, ended
    ({"started": "1"}, True),  # another process has its number
    ({"host": "other", "process": 2**22 + 1}, False),
    ({"host": "other", "alive": 0}, True),
    ({"host": "other", "alive": "?"}, True),
])  # fmt: skip
def test_the_lease_of_a_dead_run_is_taken_over(bucket, monkeypatch, change, is_free):
    monkeypatch.setattr(lease, "_DOUBT", 0.01)
    file = bucket / "out/_emojob/lock"
    with open_output(bucket / "out"):
        left = {**json.loads(file.read_bytes()), **change}
    file.write_bytes(json.dumps(left).encode())
    if is_free:
        with open_output(bucket / "out"):
            assert json.loads(file.read_bytes())["token"] != left["token"]
    else:
        with pytest.raises(BusyError), open_output(bucket / "out"):
            pass


@pytest.mark.slow
def test_a_run_that_lost_its_lease_completes_no_other_part(bucket, store, rows, model, monkeypatch, small_parts):
    monkeypatch.setattr(lease, "RENEWAL", 0.05)
    log = put(bucket / "log.parquet", rows)

    def robbed(progress):
        if progress.rows_done >= 1_000 and not stolen:
            (bucket / "out/_emojob/lock").write_bytes(b'{"token": "of another"}')
            (bucket / "out/_emojob/run.json").write_bytes(b'{"of": "another"}')
            (bucket / "out/part-of-another.json").write_bytes(b"{}")
            stolen.append(True)
            store.wait_until(lambda: not any("_renew" in thread.name for thread in threading.enumerate()))

    stolen: list[bool] = []
    with pytest.raises(StorageError, match="lost its lock"):
        score_dataset([str(log)], bucket / "out", model_options=model, report=robbed)
    assert json.loads((bucket / "out/_emojob/lock").read_bytes()) == {"token": "of another"}
    assert (bucket / "out/part-of-another.json").exists()
    assert json.loads((bucket / "out/_emojob/run.json").read_bytes()) == {"of": "another"}


def test_a_lease_belongs_to_the_run_that_takes_it_over_first(bucket, monkeypatch):
    file = bucket / "out/_emojob/lock"
    with open_output(bucket / "out"):
        live = json.loads(file.read_bytes())
    file.write_bytes(b'{"token": "dead", "alive": 0}')

    def is_dead(holder):
        if holder["token"] == "dead":
            file.write_bytes(json.dumps({**live, "started": lease._started(os.getpid())}).encode())
        return judged(holder)

    judged = lease._is_dead
    monkeypatch.setattr(lease, "_is_dead", is_dead)
    with pytest.raises(BusyError), open_output(bucket / "out"):
        pass
    assert json.loads(file.read_bytes())["token"] == live["token"]


def test_a_released_lease_does_not_come_back(bucket, store, monkeypatch):
    monkeypatch.setattr(lease, "RENEWAL", 0.01)
    begun = len(store.seen)
    with store.failing(lambda seen: "slow" if seen.method == "PUT" else ""), open_output(bucket / "out"):
        store.wait_until(
            lambda: sum(seen.method == "PUT" for seen in store.seen[begun:]) > 1
        )  # a renewal is in progress
    store.wait_until(lambda: not store.under_way)
    assert not bucket.list_objects()


# -- dead and killed runs ---------------------------------------------------------------------------------------------


def markers(out: AnyPath) -> list[str]:
    output = ArchiveFolder(out)
    output.read_markers()
    return [marker.part for marker in output.markers]


@pytest.mark.slow
def test_leftovers_of_a_dead_run_are_never_read(bucket, rows, model, local):
    log = put(bucket / "log.parquet", rows)
    score_dataset([str(log)], bucket / "out", model_options=model)
    put(bucket / "out/part-00001-000000000000.parquet", rows)
    assert read(bucket / "out").equals(local)
    with open_session(open_labelled(bucket / "out")) as session:
        assert session.query("SELECT count(*) FROM labelled").batches.__next__().to_pylist() == [{"count_star()": ROWS}]
    score_dataset([str(log)], bucket / "out", model_options=model)
    assert not (bucket / "out/part-00001-000000000000.parquet").exists()


@pytest.mark.slow
def test_a_process_that_is_killed_again_and_again_loses_nothing(bucket, rows, model, local):
    log = put(bucket / "log.parquet", rows)
    child = (
        "import os, sys\n"
        "from emojob.pipeline.reading import chunks\n"
        "from emojob.pipeline.output import part_writer\n"
        "from emojob.pipeline.storage import object_store, object_io\n"
        "from emojob.jobs.main import main\n"
        "part_writer.PART_ROWS, chunks._FIRST_ROWS, chunks._FEWEST_ROWS, chunks.BATCH_ROWS = 1000, 500, 500, 500\n"
        "left = [int(sys.argv.pop(1))]\n"
        "def dying(function):\n"
        "    def counted(*given, **named):\n"
        "        left[0] -= 1\n"
        "        if not left[0]: os.kill(os.getpid(), 9)\n"
        "        return function(*given, **named)\n"
        "    return counted\n"
        "object_io.Upload.commit = dying(object_io.Upload.commit)\n"
        "object_store.ObjectPath.write_bytes = dying(object_store.ObjectPath.write_bytes)\n"
        "main(sys.argv[1:])\n"
    )
    options = ["score", str(log), "-o", f"{bucket}/out", "--model", str(model.model), "--precision", "fp32", "--quiet"]
    codes = []
    for moment in (1, 4):
        command = [sys.executable, "-c", child, str(moment), *options]
        codes.append(subprocess.run(command, timeout=120, capture_output=True).returncode)
    assert codes[0] == -signal.SIGKILL
    score_dataset([str(log)], bucket / "out", model_options=model)
    assert_same(read(bucket / "out"), local)
    names = {path.name.split(".")[0] for path in (bucket / "out").list_objects()}
    assert names == {"run", *(Path(part).stem for part in markers(bucket / "out"))}
