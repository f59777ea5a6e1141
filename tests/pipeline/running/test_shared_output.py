"""A run on a cluster gives each row once, also if a worker that is considered dead goes on writing.

`FakeCluster` labels the rows in this process, as the workers of a cluster do.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output import part_writer
from emojob.pipeline.output.archive_folder import ArchiveFolder
from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.reading import chunks
from emojob.pipeline.running import prepare, run
from emojob.pipeline.running.job import Job
from emojob.pipeline.running.local import LocalExecutor
from emojob.pipeline.running.run import score_dataset
from emojob.pipeline.system.prefetch import Stages, StageTimer, StopRequested
from emojob.pipeline.warehouse.open_archive import open_archive
from emojob.schemas.errors import Interrupted, StorageError, WorkerError
from emojob.schemas.manifest import PartMarker
from emojob.schemas.options import ModelOptions, ScoreOptions

ROWS = 1_000


class FakeCluster(LocalExecutor):
    """An executor that the test controls: `act(cluster)` yields completion markers, as workers report them."""

    name = "ray"

    def __init__(self, act: Callable[["FakeCluster"], Iterator[PartMarker]]) -> None:
        super().__init__()
        self.act, self.rounds = act, 0

    def parts(self, job, folder, stages, timer, on_rows):
        self.job, self.folder = job, folder
        self.rounds += 1
        return self.act(self)

    def write(self, attempt: int, rows: int, job: Job | None = None) -> Iterator[PartMarker]:
        """Label the rows that were missing at the start, in parts of `rows` rows."""
        job = replace(job or self.job, attempt=(job or self.job).attempt + attempt)
        stages = Stages()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(part_writer, "PART_ROWS", rows)
            yield from LocalExecutor.parts(self, job, self.folder, stages, StageTimer(), lambda rows: None)
        stages.join()


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch) -> None:
    for name in ("_FIRST_ROWS", "_FEWEST_ROWS", "BATCH_ROWS"):
        monkeypatch.setattr(chunks, name, 100)


@pytest.fixture
def model(tiny_model) -> ModelOptions:
    return ModelOptions(model=str(tiny_model), precision="fp32", engine="torch")


@pytest.fixture
def log(tmp_path) -> Path:
    file = tmp_path / "log.parquet"
    pq.write_table(pa.table({"id": range(ROWS), "text": [f"말 {i}" for i in range(ROWS)]}), file)
    return file


@pytest.fixture
def score(log, model, monkeypatch):
    """Label `log` on a fake cluster, and return (result, cluster)."""

    def scored(out: Path, act=lambda cluster: cluster.write(0, 500), **options):
        cluster = FakeCluster(act)
        monkeypatch.setattr(prepare, "open_executor", lambda *given: contextlib.nullcontext(cluster))
        return score_dataset([str(log)], out, ScoreOptions(**options), model), cluster

    return scored


def ids(out: Path) -> list[int]:
    return open_archive(out).to_arrow()["id"].to_pylist()


def parts(out: Path) -> set[str]:
    return {file.name for file in out.glob("part-*")}


@pytest.mark.parametrize("place", ["out", "out.parquet"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_rows_that_two_workers_wrote_count_once(score, tmp_path, place, order):
    def both(cluster: FakeCluster) -> Iterator[PartMarker]:
        for attempt in order:  # the stale worker is never heard
            written = list(cluster.write(attempt, 500 if attempt else 300))
            yield from written if attempt else ()

    out = tmp_path / place
    result, cluster = score(out, both)
    assert ids(out) == list(range(ROWS))
    assert (result.counts.read, result.run["counts"]["read"], cluster.rounds) == (ROWS, ROWS, 1)
    if place == "out":
        assert len(parts(out)) == 2  # the parts of the stale worker are removed
        assert {file.stem for file in (out / "_emojob/parts").iterdir()} == {Path(name).stem for name in parts(out)}
    assert score(out)[0].rows_done == 0


def test_two_workers_never_write_the_same_file(score, tmp_path):
    seen: dict[str, int] = {}

    def watched(cluster: FakeCluster) -> Iterator[PartMarker]:
        for attempt in (0, 1, 1, 2):
            for marker in cluster.write(attempt, 500):
                assert marker.part not in seen
                seen[marker.part] = marker.part_bytes
                yield marker
        found = {file.name: file.stat().st_size for file in cluster.folder.glob("part-*")}
        assert found == seen

    score(tmp_path / "out", watched)
    assert len(seen) == 8
    assert ids(tmp_path / "out") == list(range(ROWS))


@pytest.mark.parametrize("place", ["out", "out.parquet"])
def test_rows_that_are_missing_at_the_end_are_labelled_before_the_run_is_complete(score, tmp_path, place, monkeypatch):
    def half(cluster: FakeCluster) -> Iterator[PartMarker]:
        for marker in cluster.write(0, 200):
            if cluster.rounds == 1 and marker.first_row == 400:  # another process damages a part
                (cluster.folder / marker.part).write_bytes(b"PAR1")
            yield marker

    result, cluster = score(tmp_path / place, half)
    assert (cluster.rounds, result.counts.read, result.run["state"]) == (2, ROWS, "complete")
    assert ids(tmp_path / place) == list(range(ROWS))


def test_a_run_whose_parts_are_lost_again_and_again_fails(score, tmp_path):
    def lost(cluster: FakeCluster) -> Iterator[PartMarker]:
        for marker in cluster.write(0, 500):
            (cluster.folder / marker.part).unlink()
            yield marker

    with pytest.raises(WorkerError, match="run the same command to continue"):
        score(tmp_path / "out.parquet", lost)
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("place", ["out", "out.parquet"])
@pytest.mark.parametrize("error", [WorkerError("dead"), StorageError("full"), KeyboardInterrupt(), StopRequested()])
def test_complete_parts_stay_after_an_error_before_any_worker_reported(score, tmp_path, place, error):
    def failing(cluster: FakeCluster) -> Iterator[PartMarker]:
        for number, _ in enumerate(cluster.write(0, 200)):
            if number == 2:
                raise error
        yield from ()

    out = tmp_path / place
    work = out if place == "out" else tmp_path / ".out.parquet.emojob"
    with pytest.raises(Interrupted if isinstance(error, StopRequested) else type(error)):
        score(out, failing)
    assert len(parts(work)) == 3
    plain = json.loads((work / "_emojob/run.json").read_text())
    assert plain["state"] == ("interrupted" if isinstance(error, StopRequested) else "failed")
    assert plain["counts"]["read"] == 600
    result, _ = score(out)
    assert (result.rows_before, result.rows_done) == (600, 400)
    assert ids(out) == list(range(ROWS))


def test_an_error_without_a_part_leaves_no_folder(score, tmp_path):
    def failing(cluster: FakeCluster) -> Iterator[PartMarker]:
        raise WorkerError("dead")
        yield

    with pytest.raises(WorkerError, match="dead"):
        score(tmp_path / "out", failing)
    assert not (tmp_path / "out").exists()


def test_a_part_that_is_completed_while_a_run_fails_stays(score, tmp_path, monkeypatch):
    clusters = []

    def failing(cluster: FakeCluster) -> Iterator[PartMarker]:
        clusters.append(cluster)
        raise WorkerError("dead")
        yield

    def late(self) -> None:
        next(clusters[0].write(0, 500))  # before run.json is removed
        removed(self)

    removed = ArchiveFolder.remove_run
    monkeypatch.setattr(ArchiveFolder, "remove_run", late)
    with pytest.raises(WorkerError, match="dead"):
        score(tmp_path / "out", failing)
    assert len(parts(tmp_path / "out")) == 1
    assert score(tmp_path / "out")[0].rows_before == 500


def test_a_worker_of_an_earlier_run_writes_nothing_into_a_later_run(score, tmp_path):
    out, stale, kept = tmp_path / "out", [], []

    def killed(cluster: FakeCluster) -> Iterator[PartMarker]:
        stale.append(cluster.write(0, 300))
        yield next(stale[0])
        raise StopRequested

    def next_run(cluster: FakeCluster) -> Iterator[PartMarker]:
        kept.append(parts(out))
        with pytest.raises(StorageError, match="another run replaced it"):
            next(stale[0])
        yield from cluster.write(0, 500)

    with pytest.raises(Interrupted):
        score(out, killed)
    result, _ = score(out, next_run)
    assert result.rows_before == 300
    assert ids(out) == list(range(ROWS))
    assert not list(out.glob(".part-*"))


def test_a_worker_that_wakes_after_the_end_of_its_run_writes_nothing(score, tmp_path):
    out, stale = tmp_path / "out", []

    def lost(cluster: FakeCluster) -> Iterator[PartMarker]:
        stale.append(cluster.write(0, 300))
        next(stale[0])
        yield from cluster.write(1, 500)

    score(out, lost)
    before = parts(out)
    with pytest.raises(StorageError, match="another run replaced it"):
        next(stale[0])
    assert parts(out) == before


def test_what_a_stale_worker_completes_after_the_end_of_its_run_does_not_count(score, tmp_path, monkeypatch):
    """The worker checks run.json, then the run ends, then the worker completes its part."""
    out = tmp_path / "out"
    for fresh in (False, True):
        _, cluster = score(out, lambda cluster: cluster.write(1, 500), fresh=fresh)
        with monkeypatch.context() as patch:
            patch.setattr("emojob.pipeline.running.local.ensure_current", lambda folder, run_id: None)
            assert len(list(cluster.write(0, 300))) == 4
        assert len(parts(out)) == 6
        assert ids(out) == list(range(ROWS))
        assert sum(part.counts.read for part in read(out).markers) == ROWS
        score(out)
        assert len(parts(out)) == 2  # the next run removes them


def read(out: Path) -> ArchiveFolder:
    output = ArchiveFolder(out)
    output.read_markers()
    return output


def test_a_run_on_one_machine_after_a_run_on_a_cluster_wins_against_its_workers(score, tmp_path, model, log):
    out, clusters = tmp_path / "out", []

    def killed(cluster: FakeCluster) -> Iterator[PartMarker]:
        clusters.append(cluster)
        yield from ()
        raise StopRequested

    with pytest.raises(Interrupted):
        score(out, killed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "open_executor", lambda *given: contextlib.nullcontext(LocalExecutor()))
        patch.setattr(part_writer, "PART_ROWS", 500)
        score_dataset([str(log)], out, None, model)
    before = {marker.part for marker in read(out).markers}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("emojob.pipeline.running.local.ensure_current", lambda folder, run_id: None)
        assert len(list(clusters[0].write(0, 300))) == 4
    assert {marker.part for marker in read(out).markers} == before
    assert len(open_labelled(out).part_files) == 2


def test_forgetting_removes_parts_that_do_not_count(score, tmp_path, monkeypatch):
    from emojob.pipeline.warehouse.forget import forget

    out = tmp_path / "out"
    _, cluster = score(out, lambda cluster: cluster.write(1, 500))
    monkeypatch.setattr("emojob.pipeline.running.local.ensure_current", lambda folder, run_id: None)
    assert len(list(cluster.write(0, 300))) == 4
    assert forget(out, "id = 7").rows == 1
    assert len(parts(out)) == 2
    list(cluster.write(0, 300))  # a worker writes the row again
    assert ids(out) == [i for i in range(ROWS) if i != 7]


def test_the_single_file_is_not_replaced_if_the_parts_lack_rows(score, tmp_path, monkeypatch):
    out = tmp_path / "out.parquet"
    score(out)
    before = out.read_bytes()

    def shorter(table, schema):
        return aligned(table, schema).slice(1)

    aligned = run.join_parts.__globals__["_aligned"]
    monkeypatch.setitem(run.join_parts.__globals__, "_aligned", shorter)
    with pytest.raises(WorkerError, match=r"998 rows instead of 1,000"):
        score(out, fresh=True)
    assert out.read_bytes() == before
