"""Failing requests change no result, and each error of an object store is one line that reveals no secret."""

from __future__ import annotations

import errno
import sys
from collections import Counter

import pyarrow.parquet as pq
import pytest

from emojob.pipeline.running.run import score_dataset
from emojob.pipeline.storage import object_store as stores
from emojob.pipeline.storage.paths import parse_path
from emojob.schemas.errors import OptionError, StorageError
from tests.command_line import run
from tests.pipeline.storage.tables import ROWS, assert_same, put, read
from tests.stores import at_random

# -- failing requests -------------------------------------------------------------------------------------------------


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


# -- messages ---------------------------------------------------------------------------------------------------------


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
