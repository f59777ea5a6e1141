"""Inputs and archives in an object store give the same results as on a disk."""

from __future__ import annotations

import gzip
import json

import pyarrow.parquet as pq
import pytest

from emojob.pipeline.reading.inputs import find_inputs
from emojob.pipeline.running import single_file
from emojob.pipeline.running.run import score_dataset
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import parse_path, seekable
from emojob.schemas.errors import InputError, NothingFound
from emojob.schemas.options import ModelOptions, ScoreOptions
from tests.command_line import run
from tests.pipeline.storage.tables import put, read


@pytest.mark.slow
def test_an_object_store_gives_the_same_rows_as_a_disk(bucket, rows, model, local):
    log = put(bucket / "logs/log.parquet", rows)
    result = score_dataset([str(log)], model_options=model)
    assert result.out == bucket / "logs/log.emotions"
    assert read(result.out).equals(local)
    assert result.run["inputs"][0]["name"] == str(log)


# -- inputs -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["csv", "csv.gz", "tsv", "jsonl"])
def test_text_files_are_read_from_an_object_store(bucket, rows, model, tmp_path, ending):
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
def test_a_changed_object_is_labelled_again(bucket, rows, model):
    log = put(bucket / "log.parquet", rows)
    score_dataset([str(log)], bucket / "out", model_options=model)
    put(log, rows.slice(0, 500))
    again = score_dataset([str(log)], bucket / "out", model_options=model)
    assert (again.rows_done, len(read(bucket / "out"))) == (500, 500)


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


# -- outputs ----------------------------------------------------------------------------------------------------------


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
