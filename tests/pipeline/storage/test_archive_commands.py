"""The commands on an archive in an object store: sql, report, nightly and forget."""

from __future__ import annotations

import json
import re

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.running.run import score_dataset
from emojob.pipeline.warehouse.forget import forget
from emojob.pipeline.warehouse.query import open_session
from emojob.schemas.errors import OptionError
from emojob.schemas.options import ScoreOptions
from tests.command_line import run
from tests.pipeline.storage.tables import ROWS, put, read


@pytest.mark.slow
def test_queries_on_an_archive_in_an_object_store(bucket, rows, model, capsys, tmp_path):
    log = put(bucket / "log.parquet", rows)
    score_dataset([str(log)], bucket / "out", model_options=model)
    assert run(["sql", f"{bucket}/out", "SELECT count(*) AS n, max(id) AS m FROM labelled", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"n": ROWS, "m": ROWS - 1}]
    assert run(["sql", f"{bucket}/out", "SELECT id FROM labelled WHERE id < 3", "-o", f"{bucket}/found.csv"]) == 0
    assert sorted((bucket / "found.csv").read_bytes().decode("utf-8-sig").split()) == sorted(['"id"', "0", "1", "2"])
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
    with open_session(open_labelled(bucket / "out")) as session, pytest.raises(OptionError, match="not allowed"):
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
        assert "must be local; give a local path" in capsys.readouterr().err
    for line in ("archive", "files"):
        other.write_text(re.sub(rf'{line} = "s3://[^/]+', f'{line} = "s3://no-such-bucket', config.read_text()))
        for more in ([], ["--check"]):
            assert run(["nightly", str(other), "--date", "2026-10-02", *more]) == 2
            message = capsys.readouterr().err
            assert "there is no bucket 'no-such-bucket'" in message
            assert message.count("\n") == 1


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
@pytest.mark.parametrize("name", ["out", "out.parquet"])
def test_no_object_contains_the_name_of_a_person_after_forget(bucket, model, name, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = pa.table({"text": [f"말 {i}" for i in range(40)], "person": ["홍길동", "김철수"] * 20})
    log = put(bucket / "log.parquet", texts)
    score_dataset([str(log)], bucket / name, ScoreOptions(memo="first.memo"), model)
    assert run(["report", f"{bucket}/{name}", "--html", f"{bucket}/r.html", "--json", "r.json", "--by", "person"]) == 0
    assert run(["sql", f"{bucket}/{name}", "FROM labelled", "-o", f"{bucket}/all.parquet"]) == 0
    assert run(["sql", f"{bucket}/{name}", "FROM labelled", "-o", f"{bucket}/all.csv"]) == 0
    forget_person = ["forget", f"{bucket}/{name}", "--yes", "--where", "person = '홍길동'"]
    capsys.readouterr()
    assert run(forget_person) == 3
    assert capsys.readouterr().out.count("--also") == 1
    assert run([*forget_person, "--also", f"{bucket}/all.csv"]) == 0
    for path in bucket.list_objects():
        content = path.read_bytes()
        parquet = pq.read_table(pa.BufferReader(content)).to_pylist() if path.suffix == ".parquet" else ""
        assert path == log or "홍길동" not in content.decode("utf-8", "replace") + str(parquet), path
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_an_untrusted_local_archive_causes_no_request_to_an_object_store(bucket, rows, model, tmp_path, store, capsys):
    log = put(bucket / "log.parquet", rows)
    score_dataset([str(log)], tmp_path / "out", model_options=model)
    assert run(["report", str(tmp_path / "out"), "--json", f"{bucket}/r.json"]) == 0
    with store.counted() as asked:
        assert run(["forget", str(tmp_path / "out"), "--yes", "--where", "id < 3"]) == 3
    assert not asked
    assert f"--also {bucket}/r.json" in capsys.readouterr().out
    assert run(["forget", str(tmp_path / "out"), "--yes", "--where", "id < 3", "--also", f"{bucket}/r.json"]) == 0
    assert not (bucket / "r.json").exists()
