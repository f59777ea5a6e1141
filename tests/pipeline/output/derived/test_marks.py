"""A mark counts only at its place in a file that emojob writes."""

import json
import os
import zipfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output.derived.marks import KEY, comment, is_from_emojob, read_marks
from emojob.pipeline.output.identity import Identity
from emojob.pipeline.storage.spreadsheet import workbook

MARK = Identity("0" * 32, 1, 2).mark


def test_the_mark_is_read_from_each_kind_of_file(tmp_path):
    (tmp_path / "a.html").write_text(f'<!doctype html>\n<meta name="emojob-archive" content="{MARK}">\n')
    (tmp_path / "a.json").write_text(json.dumps({"format": 1, KEY: str(MARK), "days": []}, indent=1))
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata({KEY: str(MARK)}), tmp_path / "a.parquet")
    with duckdb.connect(str(tmp_path / "a.duckdb")) as db:
        db.execute("CREATE TABLE labelled (a INT)")
        db.execute(f"COMMENT ON TABLE labelled IS '{comment(MARK)}'")
    written(tmp_path / "a.xlsx")
    for file in tmp_path.iterdir():
        assert read_marks(file) == [MARK], file


def written(file: Path) -> None:
    with file.open("wb") as stream, workbook(stream, file, {KEY: str(MARK)}) as book:
        book.add_sheet("result", ["a"], iter([[1]]))


def test_a_workbook_that_was_edited_is_not_taken_for_one_of_emojob(tmp_path):
    written(tmp_path / "a.xlsx")
    assert is_from_emojob(tmp_path / "a.xlsx")
    with zipfile.ZipFile(tmp_path / "a.xlsx") as packed, zipfile.ZipFile(tmp_path / "b.xlsx", "w") as saved:
        for name in packed.namelist():
            content = packed.read(name)
            if name == "docProps/core.xml":
                before, modified, after = content.partition(b"</dcterms:modified>")
                content = before[:-1] + b"." + modified + after
            saved.writestr(name, content)
    assert read_marks(tmp_path / "b.xlsx") == [MARK]
    assert not is_from_emojob(tmp_path / "b.xlsx")


@pytest.mark.parametrize("member", ["xl/worksheets/sheet1.xml", "docProps/core.xml"])
def test_each_edit_of_a_workbook_is_noticed(tmp_path, member):
    written(tmp_path / "a.xlsx")
    with zipfile.ZipFile(tmp_path / "a.xlsx") as packed, zipfile.ZipFile(tmp_path / "b.xlsx", "w") as saved:
        for name in packed.namelist():
            saved.writestr(name, packed.read(name) + b"\n" * (name == member))
    assert not is_from_emojob(tmp_path / "b.xlsx")


def test_a_workbook_without_a_hash_counts_if_its_times_are_equal(tmp_path):
    written(tmp_path / "a.xlsx")
    with zipfile.ZipFile(tmp_path / "a.xlsx") as packed, zipfile.ZipFile(tmp_path / "b.xlsx", "w") as saved:
        for name in packed.namelist():
            saved.writestr(name, packed.read(name).replace(b"emojob_content", b"other"))
    assert is_from_emojob(tmp_path / "b.xlsx")


@pytest.mark.parametrize("content", [
    b"", str(MARK).encode(), b"text " + str(MARK).encode(), b'{"other": "' + str(MARK).encode() + b'"}', b"PAR1 no",
    b"<p>" + f'<meta name="emojob-archive" content="{MARK}">'.encode(), b"12345678DUCK", b"\x09" + bytes(7) + b"{",
    b"PK\x03\x04", b'PK name="emojob_archive"><vt:lpwstr>' + str(MARK).encode() + b"<",
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
