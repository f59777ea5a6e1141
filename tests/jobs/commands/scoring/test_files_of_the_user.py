"""No command removes, overwrites or follows a file that emojob did not write, whatever the name of the file is."""

import os
import shutil
from pathlib import Path

import pytest

from emojob.pipeline.storage import temporary
from emojob.pipeline.storage.temporary import temporary_name

#: Files and folders of the user beside the outputs.
BESIDE = (
    ".spill-my-photos/photo.jpg", ".spill-abcdefgh/photo.jpg", ".one.parquet.emojob.done/photo.jpg",
    ".one.parquet.emojob.done/_emojob/parts/mine.json", ".one.parquet.tmp", ".page.html.tmp", ".page.json.tmp",
    ".sheet.csv.tmp", ".found.csv.tmp", ".out.duckdb.tmp", ".out.memo.tmp", ".part-notes.tmp", ".lock",
    ".emojob-bench-mine/notes", f".page.html.{'0' * 32}.tmp", ".page.html.0123456789abcdef.tmp",
)  # fmt: skip

#: Files and folders of the user in OUT.
IN_OUT = (
    "notes.txt", ".part-notes.tmp", ".part-00000-000000000000.parquet.mine.tmp", "part-one.parquet",
    "sub/.run.json.tmp", "_emojob/.spill-my-photos/photo.jpg", "_emojob/notes.txt",
    "_emojob/.notes.tmp", "_emojob/parts/part-notes.txt",
)  # fmt: skip

FORMATS = Path(__file__).parents[3] / "formats"


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    lines = "".join(f"c{i % 3},2026-11-2{i % 3},{i}번째 말이에요 안녕하세요\n" for i in range(30))
    (tmp_path / "log.csv").write_text(f"conversation_id,sent_at,text\n{lines}c1,too,many,fields\n", encoding="utf-8")
    return tmp_path


def put(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"mine: {name}")


def missing(folder: Path, names: tuple[str, ...]) -> list[str]:
    texts = ((name, folder / name) for name in names)
    return [name for name, file in texts if not file.is_file() or file.read_text() != f"mine: {name}"]


COMMANDS = (
    ("score", "log.csv", "-o", "out", "--memo", "out.memo", "--quiet"),
    ("score", "log.csv", "-o", "out", "--memo", "out.memo", "--quiet", "--fresh"),
    ("score", "log.csv", "-o", "one.parquet", "--quiet"),
    ("score", "log.csv", "-o", "one.parquet", "--quiet", "--fresh"),
    ("report", "out", "--html", "page.html", "--json", "page.json"),
    ("report", "one.parquet", "--html", "page.html"),
    ("sql", "out", "FROM labelled ORDER BY text", "-o", "found.csv"),
    ("sql", "one.parquet", "FROM labelled ORDER BY text", "-o", "found.csv", "--force"),
    ("sql", "out", "--export", "out.duckdb"),
    ("sample", "out", "--uncertain", 3, "-o", "sheet.csv", "--force"),
    ("forget", "out", "--yes", "--where", "conversation_id = 'c1'"),
    ("forget", "one.parquet", "--yes", "--where", "conversation_id = 'c1'"),
    ("score", "log.csv", "-o", "out", "--memo", "out.memo", "--quiet"),
)


def test_files_with_names_like_those_of_emojob_survive_all_commands(emojob, place):
    assert emojob(*COMMANDS[0])[0] == 0
    put(place, BESIDE)
    put(place / "out", IN_OUT)
    for args in COMMANDS:
        code, _, err = emojob(*args)
        assert code == 0 or (code == 3 and args[0] == "forget"), (args, err)  # 3: forget did not take all files
        assert not missing(place, BESIDE), args
        assert not missing(place / "out", IN_OUT), args


def test_links_with_the_names_of_temporary_files_are_not_followed(emojob, place):
    targets = place / "targets"
    targets.mkdir()
    names = [name for name in BESIDE if name.endswith(".tmp")] + [
        ".one.rejects.parquet.tmp", "out/_emojob/.run.json.tmp", "out/_emojob/.rejects.parquet.tmp",
        "out/_emojob/parts/.part-00000-000000000000.json.tmp",
    ]  # fmt: skip
    assert emojob(*COMMANDS[0])[0] == 0
    for i, name in enumerate(names):
        (targets / str(i)).write_text("mine")
        (place / name).symlink_to(targets / str(i))
    for args in COMMANDS:
        assert emojob(*args)[0] in (0, 3), args
    assert [file.read_text() for file in targets.iterdir()] == ["mine"] * len(names)


def test_a_work_folder_with_a_file_of_the_user_keeps_the_file(emojob, place, monkeypatch):
    from emojob.pipeline.running import run

    join = run.join_parts
    monkeypatch.setattr(run, "join_parts", lambda *given: exit(9))  # the run is cut off before the parts are joined
    assert emojob("score", "log.csv", "-o", "one.parquet", "--quiet")[0] == 9
    monkeypatch.setattr(run, "join_parts", join)
    put(place / ".one.parquet.emojob", ("notes.txt", "_emojob/notes.txt"))
    assert emojob("score", "log.csv", "-o", "one.parquet", "--quiet")[0] == 0
    assert not missing(place / ".one.parquet.emojob", ("notes.txt", "_emojob/notes.txt"))
    assert Path("one.parquet").is_file()


def test_what_killed_commands_of_emojob_left_is_removed(emojob, place, monkeypatch):
    """Also what earlier versions left."""
    monkeypatch.setattr(temporary, "_swept", set())  # as in a new process
    assert emojob(*COMMANDS[0])[0] == 0
    done, spill = place / ".one.parquet.emojob.done", place / "out/_emojob/.spill-ab12cd34"
    shutil.copytree(FORMATS / "3/out", done)
    spill.mkdir()
    (spill / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"rows")
    names = ("out/.part-00001-000000000000.parquet.ab12cd34.tmp", "out/_emojob/parts/.part-00001-000000000000.json.tmp")
    left = [place / name for name in names] + [place / temporary_name("page.html"), place / "out" / temporary_name("x")]
    for file in left:
        file.write_bytes(b"rows")
    temporary._swept.clear()
    assert emojob("score", "log.csv", "-o", "one.parquet", "--quiet")[0] == 0
    assert emojob("report", "out", "--html", "page.html")[0] == 0
    assert emojob("score", "log.csv", "-o", "out", "--quiet")[0] == 0
    assert not [file for file in (*left, done, spill) if os.path.lexists(file)]
