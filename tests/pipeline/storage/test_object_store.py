"""Inputs and archives in an object store give the same results as on a disk, also when requests fail."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from emojob.jobs.main import main
from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.output.archive_folder import ArchiveFolder, open_output
from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.reading.inputs import find_inputs
from emojob.pipeline.running.run import score_dataset
from emojob.pipeline.storage import lease, object_io
from emojob.pipeline.storage import object_store as stores
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath, parse_path, seekable
from emojob.pipeline.warehouse.forget import forget
from emojob.pipeline.warehouse.query import open_session
from emojob.schemas.errors import BusyError, DataError, InputError, NothingFound, OptionError, StorageError
from emojob.schemas.options import ModelOptions, ScoreOptions
from tests.stores import at_random

ROWS = 4_000


@pytest.fixture
def bucket(store) -> ObjectPath:
    found = parse_path(store.bucket())
    assert isinstance(found, ObjectPath)
    return found


@pytest.fixture
def model(tiny_model) -> ModelOptions:
    return ModelOptions(model=str(tiny_model), engine="torch", precision="fp32")


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    samples = sample_texts()
    texts = [None if i % 501 == 500 else f"{samples[i % len(samples)][:24]} {i}" for i in range(ROWS)]
    return pa.table({"id": range(ROWS), "text": texts, "other": [str(i) * 40 for i in range(ROWS)]})


def put(path: ObjectPath, table: pa.Table, **more: object) -> ObjectPath:
    """Write a table as a Parquet object."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **{"row_group_size": 1_000, **more})
    path.write_bytes(sink.getvalue().to_pybytes())
    return path


def read(out: AnyPath) -> pa.Table:
    """Return the labelled rows in the order of the input."""
    tables = [pq.read_table(seekable(part_file.file)) for part_file in open_labelled(out).part_files]
    return pa.concat_tables(tables).replace_schema_metadata(None)


def assert_same(found: pa.Table, expected: pa.Table) -> None:
    """Compare rows in order; probabilities may differ by rounding, as the batches differ."""
    assert found.select(["id", "text", "emotion_status"]).equals(expected.select(["id", "text", "emotion_status"]))
    apart = abs(found["confidence"].fill_null(-1).to_numpy() - expected["confidence"].fill_null(-1).to_numpy())
    assert apart.max() < 1e-4


@pytest.fixture
def local(rows, tmp_path, model) -> pa.Table:
    """Return the same rows, labelled on a disk."""
    pq.write_table(rows, tmp_path / "log.parquet", row_group_size=1_000)
    score_dataset([str(tmp_path / "log.parquet")], tmp_path / "out", model_options=model)
    return read(tmp_path / "out")


# -- the same job --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_object_store_gives_the_same_rows_as_a_disk(bucket, rows, model, local):
    log = put(bucket / "logs/log.parquet", rows)
    result = score_dataset([str(log)], model_options=model)
    assert result.out == bucket / "logs/log.emotions"
    assert read(result.out).equals(local)
    assert result.run["inputs"][0]["name"] == str(log)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["out", "out.parquet"])
def test_rows_in_an_object_store_are_forgotten(bucket, rows, model, local, name):
    out = bucket / name
    log = put(bucket / "log.parquet", rows)
    score_dataset([str(log)], out, ScoreOptions(), model)
    ids = pc.and_(pc.greater_equal(local["id"], 10), pc.less(local["id"], 20))
    removed = pc.or_(pc.is_null(local["text"]), ids)
    assert forget(out, "id BETWEEN 10 AND 19 OR text IS NULL").rows == pc.sum(removed).as_py() > 10
    assert read(out).to_pylist() == local.filter(pc.invert(removed)).to_pylist()
    assert not [path for path in bucket.list_objects() if path.name.endswith("exchange.json")]


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["csv", "csv.gz", "tsv", "jsonl"])
def test_text_files_are_read_from_an_object_store(bucket, rows, model, tmp_path, ending):
    import gzip

    table = rows.select(["id", "text"])
    if ending == "jsonl":
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in table.to_pylist())
    else:
        mark = "\t" if ending == "tsv" else ","
        content = f"id{mark}text\n" + "".join(f"{row['id']}{mark}{row['text'] or ''}\n" for row in table.to_pylist())
    data = gzip.compress(content.encode()) if ending.endswith("gz") else content.encode()
    (bucket / f"log.{ending}").write_bytes(data)
    (tmp_path / f"log.{ending}").write_bytes(data)
    here = score_dataset([str(tmp_path / f"log.{ending}")], tmp_path / "out", model_options=model)
    there = score_dataset([f"{bucket}/log.{ending}"], bucket / "out", model_options=model)
    assert there.counts == here.counts
    assert read(bucket / "out").equals(read(tmp_path / "out"))


@pytest.mark.slow
def test_a_folder_of_an_object_store_is_one_dataset_with_its_partitions(bucket, rows, model):
    for day in (1, 2):
        put(bucket / f"logs/day={day}/a.parquet", rows.slice(0, 100))
    put(bucket / "logs/_hidden/a.parquet", rows)
    put(bucket / "logs/.b.parquet", rows)
    (bucket / "logs/readme.txt").write_bytes(b"no log")
    score_dataset([f"{bucket}/logs"], bucket / "logs/out", model_options=model)
    found = read(bucket / "logs/out")
    assert found["day"].to_pylist() == ["1"] * 100 + ["2"] * 100
    again = score_dataset([f"{bucket}/logs/"], bucket / "logs/out", model_options=model)
    assert (again.rows_done, again.counts.read) == (0, 200)


def test_patterns_match_objects(bucket, rows):
    for name in ("a/2026-10-01.csv", "a/2026-10-02.csv", "b/2026-10-01.csv", "a/other.csv"):
        (bucket / name).write_bytes(b"text\nx\n")
    assert [file.name for file in find_inputs([f"{bucket}/*/2026-10-0[1-2].csv"])] == [
        f"{bucket}/a/2026-10-01.csv", f"{bucket}/a/2026-10-02.csv", f"{bucket}/b/2026-10-01.csv",
    ]  # fmt: skip
    assert [file.name for file in find_inputs([f"{bucket}/b*"])] == [f"{bucket}/b/2026-10-01.csv"]
    assert len(find_inputs([f"{bucket}/**/*.csv"])) == 4
    with pytest.raises(NothingFound, match="no such object"):
        find_inputs([f"{bucket}/c*"])


@pytest.mark.slow
def test_the_same_command_again_does_nothing(bucket, store, rows, model):
    log = put(bucket / "log.parquet", rows)
    score_dataset([str(log)], bucket / "out", model_options=model)
    before = (bucket / "out").list_objects()
    with store.counted() as asked:
        again = score_dataset([str(log)], bucket / "out", model_options=model)
    assert again.rows_done == 0
    assert (bucket / "out").list_objects() == before
    assert asked["PUT"] == 1  # the lease
    assert sum(asked.values()) < 40


@pytest.mark.slow
def test_a_changed_object_is_labelled_again(bucket, rows, model):
    log = put(bucket / "log.parquet", rows)
    score_dataset([str(log)], bucket / "out", model_options=model)
    put(log, rows.slice(0, 500))
    again = score_dataset([str(log)], bucket / "out", model_options=model)
    assert (again.rows_done, len(read(bucket / "out"))) == (500, 500)


def to_file(log: ObjectPath, out: ObjectPath, model: ModelOptions) -> list[str]:
    return ["score", str(log), "-o", str(out), "--model", str(model.model), "--precision", "fp32", "--quiet"]


@pytest.mark.slow
def test_a_single_file_can_be_written_to_an_object_store(bucket, rows, model, local, store):
    log = put(bucket / "log.parquet", rows)
    command = to_file(log, bucket / "labelled.parquet", model)
    assert run(command) == 0
    assert read(bucket / "labelled.parquet").equals(local)
    assert sorted(path.name for path in bucket.list_objects()) == ["labelled.parquet", "log.parquet"]
    with store.counted() as asked:
        assert run(command) == 0
    assert asked["PUT"] == 0


@pytest.mark.slow
def test_a_kill_after_the_single_file_was_written_leaves_nothing_to_do(bucket, rows, model, monkeypatch):
    from emojob.pipeline.running import single_file

    log = put(bucket / "log.parquet", rows)
    command = to_file(log, bucket / "labelled.parquet", model)
    with monkeypatch.context() as patched:
        patched.setattr(single_file, "remove_all", lambda places: (_ for _ in ()).throw(KeyboardInterrupt))
        assert run(command) == 130
    assert len(bucket.list_objects()) > 4
    assert run(command) == 0
    assert sorted(path.name for path in bucket.list_objects()) == ["labelled.parquet", "log.parquet"]


@pytest.mark.slow
def test_rejects_are_kept_in_an_object_store(bucket, model):
    (bucket / "log.csv").write_bytes(b"id,text\n1,a\n2,b,c\n3,d\n")
    result = score_dataset([f"{bucket}/log.csv"], bucket / "out", model_options=model)
    assert (result.counts.rejected, len(read(bucket / "out"))) == (1, 2)
    rejects = pq.read_table(seekable(bucket / "out/_emojob/rejects.parquet"))
    assert rejects["raw"].to_pylist() == ["2,b,c"]
    assert score_dataset([f"{bucket}/log.csv"], bucket / "out", model_options=model).rows_done == 0


@pytest.mark.slow
def test_a_model_is_downloaded_once_and_again_after_a_change(bucket, rows, tiny_model, make_model, store, local):
    for file in tiny_model.iterdir():
        if file.is_file():
            (bucket / "model" / file.name).write_bytes(file.read_bytes())
    log = put(bucket / "log.parquet", rows)
    options = ModelOptions(model=f"{bucket}/model", engine="torch", precision="fp32")
    score_dataset([str(log)], bucket / "out", model_options=options)
    assert read(bucket / "out").equals(local)
    begun = len(store.seen)
    score_dataset([str(log)], bucket / "out", model_options=options)
    assert not [seen for seen in store.seen[begun:] if seen.key.endswith("model.safetensors")]
    other = make_model(seed=1) / "model.safetensors"
    (bucket / "model/model.safetensors").write_bytes(other.read_bytes())
    with pytest.raises(InputError, match="another model"):
        score_dataset([str(log)], bucket / "out", model_options=options)


# -- requests to the object store ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_only_the_needed_bytes_of_a_parquet_object_are_fetched(bucket, rows, store):
    table = rows.append_column("ballast", pa.array([os.urandom(500) for _ in range(ROWS)]))
    log = put(bucket / "log.parquet", table)
    whole = log.stat().st_size
    from emojob.pipeline.reading.dataset import open_dataset, read_batches

    dataset = open_dataset(find_inputs([str(log)]))
    begun = len(store.seen)
    found = next(read_batches(dataset, dataset.sources[0], 2_000, 500, ["text"]))
    assert found.batch.column("text").to_pylist() == rows["text"].to_pylist()[2_000:2_500]
    asked = [seen for seen in store.seen[begun:] if seen.method == "GET"]
    assert sum(seen.received for seen in asked) < whole / 20
    assert all(seen.range for seen in asked)


def test_the_columns_of_a_row_group_are_fetched_concurrently(bucket, store, monkeypatch):
    monkeypatch.setattr(object_io, "_GAP", 0)
    table = pa.table({"text": ["그래요"] * 1000, **{f"c{i}": os.urandom(9).hex() * 50 for i in range(0)}})
    for i in range(8):
        table = table.append_column(f"c{i}", pa.array([os.urandom(2_000) for _ in range(1000)]))
    log = put(bucket / "log.parquet", table, compression="none")
    reader = seekable(log)
    assert isinstance(reader, object_io.Reader)
    monkeypatch.setattr(object_io, "_PIECE", 1 << 20)
    store.most_under_way = 0
    with store.failing(lambda seen: "slow"):  # 0.3 s each
        reader.fetch([(i << 20, (i + 1) << 20) for i in range(12)])
    assert store.most_under_way >= 3


def test_bytes_are_read_from_any_position(bucket):
    content = os.urandom(100_000)
    (bucket / "x").write_bytes(content)
    for prefetch in (False, True):
        with (bucket / "x").open(prefetch) as reader:
            reader.fetch([(50_000, 60_000), (10, 20), (15, 40)])
            for start, size in [(50_000, 10_000), (0, 10), (59_990, 100), (99_990, 100), (12, 8), (10, 0)]:
                reader.seek(start)
                assert reader.read(size) == content[start : start + size]
            assert reader.seek(0, 2) == 100_000
            assert reader.read(5) == b""


@pytest.mark.slow
def test_an_object_that_is_replaced_while_it_is_read_is_an_error(bucket, rows, model):
    from emojob.pipeline.reading.dataset import open_dataset, read_batches

    log = put(bucket / "log.parquet", rows)
    dataset = open_dataset(find_inputs([str(log)]))
    reading = read_batches(dataset, dataset.sources[0], rows=500)
    next(reading)
    put(log, rows.slice(0, 3_000))
    with pytest.raises(DataError, match=r"log\.parquet.* replaced while it was being read"):
        list(reading)
    with pytest.raises(DataError, match="changed while it was read"):
        next(read_batches(dataset, dataset.sources[0]))


# -- faults --------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_parts(monkeypatch):
    """Write part files of a thousand rows."""
    monkeypatch.setattr("emojob.pipeline.output.part_writer.PART_ROWS", 1_000)
    for name in ("_FIRST_ROWS", "_FEWEST_ROWS", "BATCH_ROWS"):
        monkeypatch.setattr(f"emojob.pipeline.reading.chunks.{name}", 500)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_transient_errors_of_an_object_store_change_no_result(bucket, store, rows, model, local, seed, small_parts):
    log = put(bucket / "log.parquet", rows)
    begun = len(store.seen)
    with store.failing(at_random(seed, 0.4)):
        score_dataset([str(log)], bucket / "out", model_options=model)
    faults = Counter(seen.fault for seen in store.seen[begun:])
    assert faults.total() - faults[""] >= 8
    assert len(faults) >= 4
    assert_same(read(bucket / "out"), local)


@pytest.mark.slow
def test_reading_text_continues_after_a_connection_was_cut(bucket, store, model, monkeypatch):
    monkeypatch.setattr(stores, "BLOCK", 20_000)
    lines = "".join(f"{i},말 {i}\n" for i in range(ROWS))
    (bucket / "log.csv").write_bytes(f"id,text\n{lines}".encode())
    with store.failing(at_random(7, 0.3, ("cut", "lost"))):
        score_dataset([f"{bucket}/log.csv"], bucket / "out", model_options=model)
    assert read(bucket / "out")["id"].to_pylist() == [str(i) for i in range(ROWS)]


@pytest.mark.slow
def test_an_unavailable_object_store_is_one_error_and_the_run_resumes_later(
    bucket, store, rows, model, local, monkeypatch, small_parts
):
    monkeypatch.setattr(stores, "_RETRIES", {"mode": "standard", "max_attempts": 1})
    stores._filesystem.cache_clear()
    bucket._fs.retries = 1
    log = put(bucket / "log.parquet", rows)
    for key in ("part-00000-000000002000.parquet", "part-00000-000000002000.json"):
        with (
            store.failing(lambda seen, key=key: "503" if seen.key.endswith(key) else ""),
            pytest.raises(StorageError, match=r"^cannot write to s3://bucket-\d+/out: the object store failed"),
        ):
            score_dataset([str(log)], bucket / "out", model_options=model)
        assert len(read(bucket / "out")) == 2_000
    stores._filesystem.cache_clear()
    result = score_dataset([str(log)], bucket / "out", model_options=model)
    assert result.rows_before == 2_000
    assert_same(read(bucket / "out"), local)


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


@pytest.mark.parametrize("fault", ["cut", "lost", "503"])
def test_a_lease_is_taken_although_the_response_was_lost(bucket, store, fault):
    faults = iter([fault])
    with store.failing(lambda seen: next(faults, "") if seen.method == "PUT" else ""), open_output(bucket / "out"):
        assert not next(faults, "")


# -- one run at a time ---------------------------------------------------------------------------------------------


def test_two_runs_do_not_share_an_output(bucket):
    message = rf"process {os.getpid()} on .* last renewed"
    with open_output(bucket / "out"), pytest.raises(BusyError, match=message), open_output(bucket / "out"):
        pass
    assert not bucket.list_objects()
    with open_output(bucket / "out"):
        pass


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


# -- contents of an output ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [OSError(errno.EIO, "I/O error"), PermissionError(errno.EACCES, "no right")])
def test_rejects_that_are_temporarily_unreadable_cost_no_part(tmp_path, model, monkeypatch, fault):
    (tmp_path / "log.csv").write_text("id,text\n1,a\n2,b,c\n3,d\n")
    score_dataset([str(tmp_path / "log.csv")], tmp_path / "out", model_options=model)
    before = {file: file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file()}

    def failing(path):
        raise fault

    with monkeypatch.context() as patched:
        patched.setattr(pq, "read_metadata", failing)
        with pytest.raises(StorageError, match="cannot write to"):
            score_dataset([str(tmp_path / "log.csv")], tmp_path / "out", model_options=model)
    assert {file: file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file()} == before
    assert score_dataset([str(tmp_path / "log.csv")], tmp_path / "out", model_options=model).rows_done == 0


@pytest.mark.slow
def test_files_of_the_user_stay(bucket, rows, model):
    log = put(bucket / "log.parquet", rows.slice(0, 50))
    (bucket / "out/").write_bytes(b"")  # as the console of an object store creates a folder
    score_dataset([str(log)], bucket / "out", model_options=model)
    (bucket / "out/notes/.mine.tmp").write_bytes(b"x")
    put(bucket / "out/notes/part-00001-000000000000.parquet", rows)
    score_dataset([str(log)], bucket / "out", ScoreOptions(fresh=True), model)
    assert len((bucket / "out/notes").list_objects()) == 2
    assert len(read(bucket / "out")) == 50


@pytest.mark.slow
@pytest.mark.parametrize("name", ["out[1] ?*", "결과 #%20", "/out"])
def test_names_of_every_kind(bucket, rows, model, name, capsys):
    log = put(bucket / f"logs [1]/{name}/log.parquet", rows.slice(0, 50))
    score_dataset([f"{bucket}/logs [1]/{name}"], parse_path(f"{bucket}/{name}"), model_options=model)
    assert log.exists()
    assert run(["sql", f"{bucket}/{name}", "SELECT count(*) AS n FROM labelled", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"n": 50}]


# -- reports and queries -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_queries_on_an_archive_in_an_object_store(bucket, rows, model, capsys, tmp_path):
    log = put(bucket / "log.parquet", rows)
    score_dataset([str(log)], bucket / "out", model_options=model)
    assert run(["sql", f"{bucket}/out", "SELECT count(*) AS n, max(id) AS m FROM labelled", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"n": ROWS, "m": ROWS - 1}]
    assert run(["sql", f"{bucket}/out", "SELECT id FROM labelled WHERE id < 3", "-o", f"{bucket}/found.csv"]) == 0
    assert sorted((bucket / "found.csv").read_bytes().decode().split()) == sorted(['"id"', "0", "1", "2"])
    assert run(["sql", f"{bucket}/out", "--export", str(tmp_path / "x.duckdb")]) == 2
    assert "--copy" in capsys.readouterr().err
    assert run(["sql", f"{bucket}/out", "--export", str(tmp_path / "x.duckdb"), "--copy"]) == 0
    with duckdb.connect(str(tmp_path / "x.duckdb"), read_only=True) as db:
        assert db.sql("SELECT count(*) FROM labelled").fetchall() == [(ROWS,)]


@pytest.mark.slow
@pytest.mark.parametrize("query", [
    "SELECT * FROM read_parquet('{bucket}/log.parquet')",
    "SELECT * FROM read_parquet('{bucket}/out/*.parquet')",
    "SELECT * FROM read_text('{bucket}/out/_emojob/run.json')",
    "SELECT * FROM glob('{bucket}/*')",
])  # fmt: skip
def test_a_query_reads_no_object_outside_its_archive(bucket, rows, model, query):
    log = put(bucket / "log.parquet", rows)
    score_dataset([str(log)], bucket / "out", model_options=model)
    with open_session(open_labelled(bucket / "out")) as session, pytest.raises(OptionError, match="disabled"):
        list(session.query(query.format(bucket=bucket)).batches)


@pytest.mark.slow
def test_a_report_can_be_written_to_an_object_store(bucket, rows, model, capsys, tmp_path):
    log = put(bucket / "log.parquet", rows)
    score_dataset([str(log)], bucket / "out", model_options=model)
    score_dataset([str(log)], tmp_path / "out", model_options=model)
    places = ["--html", f"{bucket}/report.html", "--json", f"{bucket}/figures.json"]
    assert run(["report", f"{bucket}/out", *places]) == 0
    assert run(["report", str(tmp_path / "out"), "--json", str(tmp_path / "figures.json")]) == 0
    assert (bucket / "report.html").read_bytes().decode().startswith("<!doctype html>")
    there, here = (
        json.loads((bucket / "figures.json").read_bytes()),
        json.loads((tmp_path / "figures.json").read_bytes()),
    )
    assert there["emotions"] == here["emotions"]
    part = next(path for path in (bucket / "out").list_objects() if path.suffix == ".parquet")
    assert run(["report", f"{bucket}/out", "--json", str(part)]) == 2
    assert "would overwrite a data file" in capsys.readouterr().err


@pytest.mark.slow
def test_a_night_in_an_object_store(bucket, model, tmp_path, capsys, rows, store):
    put(bucket / "logs/2026-10-01.parquet", rows.slice(0, 600))
    put(bucket / "logs/2026-10-02.parquet", rows.slice(600, 500))
    config = tmp_path / "nightly.toml"
    config.write_text(
        f"""
        [input]
        files = "{bucket}/logs/{{date}}.parquet"
        [output]
        archive = "{bucket}/out"
        figures = "{bucket}/figures.json"
        [score]
        model = "{model.model}"
        """
    )
    assert run(["nightly", str(config), "--date", "2026-10-02", "--check"]) == 0
    assert "new: 2" in capsys.readouterr().out
    assert run(["nightly", str(config), "--date", "2026-10-02"]) == 0
    assert "2 of 2 inputs scored, 1,100 rows" in capsys.readouterr().out
    there = bucket.list_objects()
    with store.counted() as asked:
        assert run(["nightly", str(config), "--date", "2026-10-02"]) == 0
    assert "0 of 2 inputs scored" in capsys.readouterr().out
    assert bucket.list_objects() == there
    assert asked["PUT"] == 2  # the leases of the night and of the run
    for line in ('log = "s3://b/x"', 'prometheus = "s3://b/x"'):
        other = tmp_path / "other.toml"
        other.write_text(f"{config.read_text()}\n[monitoring]\n{line}\n")
        assert run(["nightly", str(other), "--date", "2026-10-02"]) == 2
        assert "give the path of a local file" in capsys.readouterr().err
    for line in ("archive", "files"):
        other.write_text(re.sub(rf'{line} = "s3://[^/]+', f'{line} = "s3://no-such-bucket', config.read_text()))
        for more in ([], ["--check"]):
            assert run(["nightly", str(other), "--date", "2026-10-02", *more]) == 2
            message = capsys.readouterr().err
            assert "there is no bucket 'no-such-bucket'" in message
            assert message.count("\n") == 1


# -- one-line errors -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("command", "message"), [
    (["score", "s3://no-such-bucket/log.csv"], "there is no bucket 'no-such-bucket'"),
    (["score", "{bucket}/gone.csv"], "gone.csv: no such object"),
    (["score", "{bucket}/log.csv", "-o", "s3://no-such-bucket/out"], "there is no bucket 'no-such-bucket'"),
    (["score", "{bucket}/log.csv", "--model", "{bucket}/model"], "contains no config.json"),
    (["score", "{bucket}/log.csv", "--model", "s3://no-such-bucket/model"], "there is no bucket"),
    (["score", "s3://"], "has no bucket name"),
        (["score", "{bucket}/log.csv", "-o", "s3://no-such-bucket/one.parquet"], "there is no bucket"),
        (["score", "{bucket}/log.csv", "-o", "s3://no-such-bucket/out", "--dry-run"], "there is no bucket"),
    (["score", "gs://bucket/log.csv"], "pip install gcsfs"),
    (["score", "az://bucket/log.csv"], "pip install adlfs"),
    (["score", "https://example.com/log.csv"], "https:// are not supported"),
    (["score", "{bucket}/log.csv", "-o", "{bucket}/full"], "neither empty nor a labelled archive"),
    (["score", "{bucket}/log.csv", "--memo", "{bucket}/memo"], "is not a local file"),
    (["sql", "{bucket}/gone", "FROM labelled"], "does not exist"),
    (["sql", "{bucket}/full", "FROM labelled"], "not a labelled archive"),
    (["report", "s3://no-such-bucket/out"], "there is no bucket"),
])  # fmt: skip
def test_a_missing_object_is_reported_in_one_line(bucket, capsys, command, message, tiny_model):
    (bucket / "log.csv").write_bytes(b"text\na\n")
    (bucket / "full/something.bin").write_bytes(b"x")
    model = ["--model", str(tiny_model)] if command[0] == "score" and "--model" not in command else []
    assert run([*(one.format(bucket=bucket) for one in command), *model]) == 2
    line = capsys.readouterr().err
    assert message in line
    assert line.startswith("emojob: ")
    assert line.count("\n") == 1


@pytest.fixture
def strict(store, monkeypatch):
    """Make the server check credentials from here on."""
    store.ask("POST", "/moto-api/reset-auth", b"0")
    yield store
    store.ask("POST", "/moto-api/reset-auth", b"inf")
    stores._filesystem.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize(("environment", "message"), [
    ({"AWS_ACCESS_KEY_ID": "nobody"}, "the object store does not accept the credentials (InvalidAccessKeyId)"),
    ({"AWS_ACCESS_KEY_ID": None}, "there are no credentials for the object store"),
    ({"AWS_PROFILE": "nobody"}, "there are no credentials for the object store (ProfileNotFound)"),
])  # fmt: skip
def test_wrong_credentials_are_reported_in_one_line(
    bucket, strict, monkeypatch, capsys, environment, message, tmp_path
):
    for name, value in environment.items():
        monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    stores._filesystem.cache_clear()
    (tmp_path / "log.csv").write_text("text\n가\n")
    for command in (["score", f"{bucket}/logs/*.csv"], ["score", f"{tmp_path}/log.csv", "-o", f"{bucket}/out"]):
        assert run(command) == 2
        line = capsys.readouterr().err
        assert message in line or ("(403)" in line and environment.get("AWS_ACCESS_KEY_ID") == "nobody")
        assert "AWS_" in line
        assert line.count("\n") == 1


@pytest.mark.slow
def test_a_missing_permission_is_reported_in_one_line(bucket, store, capsys, rows, tiny_model):
    log = put(bucket / "log.parquet", rows)
    command = ["score", str(log), "-o", f"{bucket}/out", "--model", str(tiny_model), "--quiet"]
    with store.failing(lambda seen: "403" if seen.method == "PUT" and "part-" in seen.key else ""):
        assert run(command) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"emojob: cannot write to {bucket}/out: no permission, or wrong credentials (AccessDenied)")
    with store.failing(lambda seen: "403" if seen.method == "GET" and seen.key.endswith(".parquet") else ""):
        assert run(command) == 2
    assert "log.parquet cannot be read: no permission" in capsys.readouterr().err
    assert run(command) == 0


def test_a_missing_package_is_reported_with_its_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    message = r"s3://bucket/x: s3:// URLs need the package s3fs, .*: run pip install 'emojob\[s3\]'"
    with pytest.raises(OptionError, match=message):
        parse_path("s3://bucket/x")


def test_an_error_reveals_no_secret(bucket, store, capsys, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    stores._filesystem.cache_clear()
    with store.failing(lambda seen: "403"):
        assert run(["score", f"{bucket}/log.csv"]) == 2
    stores._filesystem.cache_clear()
    said = capsys.readouterr().err
    assert "very-secret" not in said
    assert "not now" not in said  # the server's message may contain anything


def run(command: list[str]) -> int:
    """Return the exit code of a command."""
    with pytest.raises(SystemExit) as ended:
        main(command)
    return int(ended.value.code or 0)
