"""A mark counts only at its place in a file that emojob writes."""

import json
import os

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output.derived.marks import KEY, comment, read_marks
from emojob.pipeline.output.identity import Identity

MARK = Identity("0" * 32, 1, 2).mark


def test_the_mark_is_read_from_each_kind_of_file(tmp_path):
    (tmp_path / "a.html").write_text(f'<!doctype html>\n<meta name="emojob-archive" content="{MARK}">\n')
    (tmp_path / "a.json").write_text(json.dumps({"format": 1, KEY: str(MARK), "days": []}, indent=1))
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata({KEY: str(MARK)}), tmp_path / "a.parquet")
    with duckdb.connect(str(tmp_path / "a.duckdb")) as db:
        db.execute("CREATE TABLE labelled (a INT)")
        db.execute(f"COMMENT ON TABLE labelled IS '{comment(MARK)}'")
    for file in tmp_path.iterdir():
        assert read_marks(file) == [MARK], file


@pytest.mark.parametrize("content", [
    b"", str(MARK).encode(), b"text " + str(MARK).encode(), b'{"other": "' + str(MARK).encode() + b'"}', b"PAR1 no",
    b"<p>" + f'<meta name="emojob-archive" content="{MARK}">'.encode(), b"12345678DUCK", b"\x09" + bytes(7) + b"{",
])  # fmt: skip
def test_a_mark_elsewhere_does_not_count(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    assert read_marks(tmp_path / "a") == []


def test_links_and_pipes_are_not_read(tmp_path):
    (tmp_path / "a.html").write_text(f'<!doctype html>\n<meta name="emojob-archive" content="{MARK}">\n')
    (tmp_path / "link").symlink_to(tmp_path / "a.html")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "missing"):
        assert read_marks(tmp_path / name) == []
