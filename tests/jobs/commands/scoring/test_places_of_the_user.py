"""A command writes to a path that the user chose, but replaces a file there only if emojob wrote it."""

import json
import shutil
import socket
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.storage import atomic
from emojob.pipeline.warehouse import export

#: Each way to write a file at a path. Commands that do not read the archive come last.
WRITERS = {
    "sql csv": ("sql", "{out}", "FROM labelled ORDER BY text", "--format", "csv", "-o"),
    "sql json": ("sql", "{out}", "FROM labelled ORDER BY text", "--format", "json", "-o"),
    "sql parquet": ("sql", "{out}", "FROM labelled ORDER BY text", "--format", "parquet", "-o"),
    "export": ("sql", "{out}", "--export"),
    "export copy": ("sql", "{out}", "--copy", "--export"),
    "report html": ("report", "{out}", "--html"),
    "report json": ("report", "{out}", "--json"),
    "evaluate json": ("evaluate", "--data", "val.csv", "--json"),
    "evaluate html": ("evaluate", "--data", "val.csv", "--html"),
    "sample": ("sample", "{out}", "--uncertain", "3", "-o"),
    "bench": ("bench", "--rows", "50", "--input", "log.csv", "--json"),
}  # fmt: skip


@pytest.fixture
def place(emojob, tmp_path, monkeypatch) -> Path:
    """A folder with the archive `out`, the archive `one.parquet`, and files of the user."""
    monkeypatch.chdir(tmp_path)
    lines = "".join(f"c{i % 3},2026-11-2{i % 3},{i}번째 말이에요 안녕하세요\n" for i in range(30))
    (tmp_path / "log.csv").write_text(f"conversation_id,sent_at,text\n{lines}c1,too,many,fields\n", encoding="utf-8")
    (tmp_path / "val.csv").write_text("text,label\n" + "좋아요,기쁨\n왜 안 와요,분노\n" * 9, encoding="utf-8")
    assert emojob("score", "log.csv", "-o", "out", "--memo", "out.memo", "--quiet")[0] == 0
    assert emojob("score", "log.csv", "-o", "one.parquet", "--quiet")[0] == 0
    return tmp_path


def command(writer: str, file: object, out: str = "out") -> list[str]:
    return [one.format(out=out) for one in WRITERS[writer]] + [str(file)]


def named(writer: str, file: Path) -> Path:
    """Return the file; for a sheet, the file gets a name that ends in .csv."""
    return file.rename(file.with_name(f"{file.name}.csv")) if writer == "sample" else file


def foreign(folder: Path) -> list[Path]:
    """Return files of each kind that emojob did not write, or that it wrote for another purpose."""
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (folder / "rows.csv").write_text("a,b\n1,2\n")
    (folder / "list.json").write_text('[\n{"a": 1}\n]\n')
    (folder / "object.json").write_text('{"format": 1, "days": []}')
    (folder / "page.html").write_text("<!doctype html><html><head><title>emojob</title></head></html>")
    (folder / "old.xlsx").write_bytes(b"PK\x03\x04 \xff\x00")
    pq.write_table(pa.table({"a": [1]}), folder / "mine.parquet")
    with duckdb.connect(str(folder / "mine.duckdb")) as db:
        db.execute("CREATE TABLE labelled AS SELECT 1 AS a; COMMENT ON TABLE labelled IS 'my table'")
    (folder / "link.csv").symlink_to(folder / "rows.csv")
    (folder / "dangling").symlink_to(folder / "missing")
    shutil.copy("out.memo", folder / "memo")
    shutil.copy("one.parquet", folder / "archive.parquet")
    return sorted(folder.iterdir())


def contents(folder: Path) -> dict[str, object]:
    files = [file for file in sorted(folder.rglob("*")) if file.is_symlink() or file.is_file()]
    return {str(file): file.readlink() if file.is_symlink() else file.read_bytes() for file in files}


def refused(emojob, args: list[str], place: Path) -> str:
    """Run a command that must be refused, and return the message."""
    before = contents(place)
    code, printed, err = emojob(*args)
    assert (code, printed) == (2, ""), (args, err)
    assert err.count("\n") == 1, (args, err)
    assert contents(place) == before, args
    return err


@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_that_emojob_did_not_write_is_not_replaced(emojob, place, writer):
    for file in [named(writer, file) for file in foreign(place / "mine")]:
        err = refused(emojob, command(writer, file), place)
        assert file.is_symlink() or ("--force" in err and str(file) in err), err
        if file.is_symlink():
            assert "symbolic link" in refused(emojob, [*command(writer, file), "--force"], place)
    if writer != "bench":  # takes seconds
        file = place / "mine" / ("rows.csv.csv" if writer == "sample" else "notes.txt")
        assert emojob(*command(writer, file), "--force")[0] == 0
        assert file.read_bytes()[:4] not in (b"mine", b"a,b\n")


@pytest.mark.parametrize("writer", [one for one in WRITERS if one != "sample"])
def test_the_same_command_replaces_its_file_without_a_flag(emojob, place, writer):
    for out in ("out", "one.parquet") if "{out}" in WRITERS[writer] else ("out",):
        for _ in range(2):
            code, _, err = emojob(*command(writer, "result", out))
            assert code == 0, (out, err)
        assert Path("result").stat().st_size
        Path("result").unlink()


@pytest.mark.parametrize("writer", WRITERS)
def test_the_files_of_an_archive_are_not_replaced(emojob, place, writer):
    (place / "alias").symlink_to(place / "out")
    (place / "link.csv").symlink_to(place / "out/_emojob/run.json")
    shutil.copytree(place / "out", place / "other")
    part = next((place / "out").glob("part-*.parquet")).name
    assert emojob("sql", "one.parquet", "FROM labelled", "-o", "found.csv")[0] == 0  # makes .one.parquet.derived
    names = (
        "out/_emojob/run.json", "out/_emojob/archive.json", "out/_emojob/rejects.parquet", "out/_emojob/new.csv",
        f"out/_emojob/parts/{part.removesuffix('.parquet')}.json", f"out/{part}", f"alias/{part}",
        "out/../out/_emojob/run.json", "alias/_emojob/run.json", "link.csv", "other/_emojob/run.json", f"other/{part}",
        ".one.parquet.derived/new.csv",
    )  # fmt: skip
    for number, name in enumerate(names):
        if writer != "sample" or name.endswith(".csv"):
            file = name if number % 2 else place / name
            err = refused(emojob, [*command(writer, file), "--force"], place)
            assert "belongs to the labelled archive" in err or "data file" in err, err
    if writer not in ("sample", "bench", "evaluate json", "evaluate html"):
        for name in ("one.parquet", "one.rejects.parquet", "./one.parquet"):
            refused(emojob, [*command(writer, name, "one.parquet"), "--force"], place)


@pytest.mark.parametrize("writer", WRITERS)
def test_an_input_is_not_replaced(emojob, place, writer):
    (place / "alias").symlink_to(place)
    data = "val.csv" if writer.startswith("evaluate") else "log.csv"
    for name in (data, f"./{data}", f"alias/{data}", place / data):
        for out in ("out", "one.parquet"):
            assert "would overwrite" in refused(emojob, [*command(writer, name, out), "--force"], place)


def test_an_empty_file_is_replaced(emojob, place):
    for writer in sorted({*WRITERS} - {"sample", "bench"}):
        Path("empty").write_bytes(b"")
        assert emojob(*command(writer, "empty"))[0] == 0, writer


def test_a_sheet_with_labels_is_not_replaced_by_an_export(emojob, place):
    assert emojob("sample", "out", "--uncertain", 3, "-o", "sheet.csv")[0] == 0
    assert "--force" in refused(emojob, command("sql csv", "sheet.csv"), place)


@pytest.mark.parametrize("writer", ["sql csv", "sql json", "sql parquet", "export", "report json", "report html"])
def test_a_killed_command_can_be_repeated(emojob, place, monkeypatch, writer):
    """The record of the file is written first, then the file."""
    commit, file = atomic.Draft.commit, Path("result")
    for _ in range(2):  # without an earlier file, and with one
        with monkeypatch.context() as patched:
            patched.setattr(atomic.Draft, "commit", lambda self: exit(9) if self._path == file else commit(self))
            patched.setattr(export, "commit", lambda *given: exit(9))
            assert emojob(*command(writer, file))[0] == 9
        assert emojob(*command(writer, file))[0] == 0


def test_an_export_of_a_moved_archive_is_replaced(emojob, place):
    assert emojob(*command("sql csv", "found.csv"))[0] == 0
    (place / "new").mkdir()
    for name in ("out", "found.csv"):
        shutil.move(name, f"new/{name}")
    assert emojob(*command("sql csv", "new/found.csv", "new/out"))[0] == 0


def test_a_record_of_another_machine_does_not_count(emojob, place):
    assert emojob(*command("sql csv", "found.csv"))[0] == 0
    file = next(one for one in Path("out/_emojob/derived").glob("*.json") if "found.csv" in one.read_text())
    plain = json.loads(file.read_text())
    for machine, code in ((socket.gethostname(), 0), ("elsewhere", 2)):
        file.write_text(json.dumps(plain | {"machine": machine}))
        assert emojob(*command("sql csv", "found.csv"))[0] == code


@pytest.mark.parametrize("name", ["out/_emojob/memo", "out/_emojob/sub/memo"])
def test_a_memo_and_an_archive_do_not_go_into_an_archive(emojob, place, name):
    (place / name).parent.mkdir(exist_ok=True)
    for args in (["score", "log.csv", "-o", "new", "--memo", name], ["score", "log.csv", "-o", f"{name}.parquet"],
                 ["score", "log.csv", "-o", name], ["train", "--data", "val.csv", "-o", name]):  # fmt: skip
        assert "belongs to the labelled archive" in refused(emojob, args, place)
