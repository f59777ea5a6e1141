"""Only one run at a time writes to an archive in an object store. After a run died, the next run continues it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
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
    message = rf"wait until process {os.getpid()} on .* has ended"
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


class Clock:
    """A clock of this process that advances only while `lease` waits.

    Attributes:
        now: Seconds.
        waits: callback(now), called after each wait. It plays the other machine.
    """

    def __init__(self, monkeypatch) -> None:
        self.now = 1_000.0
        self.waits = lambda now: None
        monkeypatch.setattr(lease, "_now", lambda: self.now)
        monkeypatch.setattr(lease, "_pause", self.pause)

    def pause(self, seconds: float) -> None:
        self.now += seconds
        self.waits(self.now)


@pytest.fixture
def clock(monkeypatch) -> Clock:
    return Clock(monkeypatch)


def left_by(bucket, **change) -> tuple[AnyPath, dict]:
    """Write the lease of a process, with changes. Return (lease object, its content)."""
    file = bucket / "out/_emojob/lock"
    with open_output(bucket / "out"):
        left = {**json.loads(file.read_bytes()), **change}
    file.write_bytes(json.dumps(left).encode())
    return file, left


@pytest.mark.parametrize("change", [{"process": 2**22 + 1}, {"started": "1"}])
def test_the_lease_of_a_process_of_this_machine_that_ended_is_taken_over_at_once(bucket, clock, change):
    file, left = left_by(bucket, **change)
    with open_output(bucket / "out"):
        assert json.loads(file.read_bytes())["token"] != left["token"]
    assert clock.now < 1_000 + lease.RENEWAL


# What the clock of the other machine says: it is right, behind, ahead, or the lease object is damaged.
_CLOCKS = [None, 0, -660, 660, 4e9, -1, "?", float("inf")]


@pytest.mark.parametrize("alive", _CLOCKS)
@pytest.mark.parametrize("change", [{}, {"process": 2**22 + 1}, {"process": float("inf"), "started": None}])
def test_a_live_run_on_another_machine_keeps_its_lease_whatever_its_clock_says(bucket, clock, alive, change):
    alive = time.time() + alive if alive in (-660, 660) else alive
    file, left = left_by(bucket, host="other", alive=alive, **change)
    notes = []

    def renewed(now):  # the last moment at which a renewal may arrive
        if now >= 1_000 + lease.LEASE - lease._POLL:
            file.write_bytes(json.dumps({**left, "renewals": 5}).encode())

    clock.waits = renewed
    with pytest.raises(BusyError, match="other has ended"), open_output(bucket / "out", notes.append):
        pass
    assert json.loads(file.read_bytes())["token"] == left["token"]
    assert ["waiting to see whether that run is alive" in one for one in notes] == [True]


@pytest.mark.parametrize("alive", _CLOCKS)
def test_the_lease_of_a_dead_run_on_another_machine_is_taken_over_after_the_lease(bucket, clock, alive):
    alive = time.time() + alive if alive in (-660, 660) else alive
    file, left = left_by(bucket, host="other", alive=alive)
    with open_output(bucket / "out"):
        assert json.loads(file.read_bytes())["token"] != left["token"]
        assert clock.now >= 1_000 + lease.LEASE


def test_a_released_lease_is_taken_while_another_run_watches_it(bucket, clock):
    file, _ = left_by(bucket, host="other")
    clock.waits = lambda now: file.unlink(missing_ok=True)
    with open_output(bucket / "out"):
        assert clock.now < 1_000 + lease.LEASE


def test_a_run_whose_system_clock_is_set_keeps_its_lease(bucket, monkeypatch):
    with open_output(bucket / "out") as output:
        for moment in (0.0, 4e9):
            monkeypatch.setattr(time, "time", lambda moment=moment: moment)
            output.ensure_lock_held()


def test_a_run_that_could_not_renew_its_lease_stops_before_another_run_can_take_it(bucket, store, clock):
    with open_output(bucket / "out") as output:
        clock.now += lease.LEASE - 1
        with pytest.raises(StorageError, match="lost its lock"):
            output.ensure_lock_held()
        taken = (bucket / "out/_emojob/lock").read_bytes()
    assert (bucket / "out/_emojob/lock").read_bytes() == taken  # it may be another run's lease by now


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
    with pytest.raises(StorageError, match=r"lost its lock|another run replaced it"):
        score_dataset([str(log)], bucket / "out", model_options=model, report=robbed)
    assert json.loads((bucket / "out/_emojob/lock").read_bytes()) == {"token": "of another"}
    assert (bucket / "out/part-of-another.json").exists()
    assert json.loads((bucket / "out/_emojob/run.json").read_bytes()) == {"of": "another"}


def test_a_lease_belongs_to_the_run_that_takes_it_over_first(bucket, monkeypatch):
    file, live = left_by(bucket)
    file.write_bytes(b'{"token": "dead"}')

    def has_ended(holder):
        if holder["token"] == "dead":
            file.write_bytes(json.dumps(live).encode())
            return True
        return judged(holder)

    judged = lease._has_ended
    monkeypatch.setattr(lease, "_has_ended", has_ended)
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
    of_emojob = rows.replace_schema_metadata({"emojob": "{}"})
    put(bucket / "out/part-00001-000000000000.parquet", of_emojob)
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
    assert names == {"run", "archive", *(Path(part).stem for part in markers(bucket / "out"))}
