"""`emojob forget` removes a person from all files that were made from the rows, and touches no other file."""

import json
import os
import shutil
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output.derived import taking, writing
from emojob.pipeline.report import report_files
from emojob.schemas.errors import StorageError

NAME = "홍길동"
WHERE = f"speaker = '{NAME}'"
REJECTED = f'c4,{NAME},"이 줄에는 칸이,너무,많아요,{NAME},\n'


def contents(file: Path) -> str:
    """All values in a file, decompressed, and its raw bytes."""
    found = file.read_bytes().decode("utf-8", "replace")
    if found.startswith("PAR1"):
        found += str(pq.read_table(file).to_pylist()) + str(pq.read_schema(file).metadata)
    if found[8:12] == "DUCK":
        with duckdb.connect(str(file), read_only=True) as db:
            found += str(db.execute("FROM labelled").fetchall())
    return found


def with_name(folder: Path, *inputs: Path) -> list[str]:
    """The files below a folder that contain the name, except the inputs."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file not in inputs)
    return [str(file.relative_to(folder)) for file in files if NAME in contents(file)]


@pytest.fixture
def log(chat, tmp_path, monkeypatch):
    """A chat with rows of the person, and with a rejected row of the person. The rejected rows are allowed."""
    monkeypatch.setenv("EMOJOB_MAX_REJECTS", "100")
    assert NAME in chat.read_text()
    with chat.open("a") as stream:
        stream.write(REJECTED)
    return chat


def derive(emojob, place: str, to: str, inside: bool) -> None:
    """Make each kind of derived file, with the name of the person in each."""
    assert emojob("report", place, "--html", f"{to}/r.html", "--json", f"{to}/r.json", "--by", "speaker")[0] == 0
    assert emojob("sql", place, "FROM labelled", "-o", f"{to}/all.parquet")[0] == 0
    assert emojob("sql", place, "--export", f"{to}/all.duckdb", "--copy")[0] == 0
    if inside:
        assert emojob("sql", place, "FROM labelled", "-o", f"{to}/all.csv")[0] == 0
        assert emojob("sql", place, "FROM labelled", "-o", f"{to}/all.json")[0] == 0


@pytest.mark.parametrize("place", ["out", "out.parquet"])
def test_no_file_contains_the_name_of_a_person_after_forget(emojob, log, place, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    assert emojob("score", log, "-o", place, "--quiet", "--memo", "first.memo")[0] == 0
    assert emojob("score", log, "-o", place, "--quiet", "--memo", "elsewhere/second.memo", "--fresh")[0] == 0
    assert emojob("score", log, "-o", place, "--quiet")[0] == 0
    derive(emojob, place, ".", inside=False)
    derive(emojob, place, "elsewhere", inside=False)
    if place == "out":
        (tmp_path / "out/deep").mkdir()
        derive(emojob, place, "out/deep", inside=True)
    assert len(with_name(tmp_path, log)) > 8
    place, memos = str(tmp_path / place), [tmp_path / "first.memo", tmp_path / "elsewhere/second.memo"]
    assert all(memo.exists() for memo in memos)
    monkeypatch.chdir("/")
    code, out, _ = emojob("forget", place, "--yes", "--where", WHERE, "--dry-run")
    assert (code, "2 rows in 1 part would be removed" in out) == (0, True)
    assert out.count("to delete") == out[out.index("2 rows") :].count("\n") - 2
    assert all(memo.exists() for memo in memos)
    code, out, _ = emojob("forget", place, "--yes", "--where", WHERE)
    assert (code, "2 rows in 1 part removed permanently" in out) == (0, True), out
    assert with_name(tmp_path, log) == []
    assert not any(memo.exists() for memo in memos)
    code, out, _ = emojob("forget", place, "--yes", "--where", WHERE)
    assert (code, out.count("\n")) == (5, 1), out


@pytest.mark.parametrize("place", ["out", "out.parquet"])
def test_a_file_that_cannot_carry_a_mark_is_listed_until_it_is_gone(emojob, log, place, tmp_path):
    assert emojob("score", log, "-o", place, "--quiet")[0] == 0
    assert emojob("sql", place, "FROM labelled", "-o", "all.csv")[0] == 0
    assert emojob("sample", place, "--uncertain", 5, "-o", "sheet.csv")[0] == 0
    for _ in range(2):
        code, out, _ = emojob("forget", place, "--yes", "--where", WHERE)
        assert (code, out.count(" kept "), "--also" in out) == (3, 2, True), out
    assert (tmp_path / "sheet.csv").exists()
    code, out, _ = emojob("forget", place, "--yes", "--where", WHERE, "--also", "all.csv")
    assert (code, out.count(" kept "), (tmp_path / "all.csv").exists()) == (3, 1, False), out
    (tmp_path / "sheet.csv").unlink()
    code, out, _ = emojob("forget", place, "--yes", "--where", WHERE)
    assert (code, out.count("\n")) == (5, 1), out
    assert with_name(tmp_path, log) == []


def test_a_file_that_is_not_outdated_stays(emojob, log, tmp_path):
    assert emojob("score", log, "-o", "out", "--quiet")[0] == 0
    assert emojob("report", "out", "--html", "r.html")[0] == 0
    assert emojob("forget", "out", "--yes", "--where", "speaker = '아무도 아닌'")[0] == 5
    assert (tmp_path / "r.html").exists()
    assert emojob("forget", "out", "--yes", "--where", WHERE)[0] == 0
    assert emojob("report", "out", "--html", "r.html", "--json", "out/r.json")[0] == 0
    assert emojob("forget", "out", "--yes", "--where", WHERE)[0] == 5
    assert (tmp_path / "r.html").exists()
    assert (tmp_path / "out/r.json").exists()


@pytest.mark.parametrize("place", ["out", "out.parquet"])
def test_a_killed_forget_is_finished_by_the_next(emojob, log, place, tmp_path, monkeypatch):
    assert emojob("score", log, "-o", place, "--quiet", "--memo", "a.memo")[0] == 0
    derive(emojob, place, ".", inside=False)

    def killed(self, scan=True):
        raise StorageError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(taking.Taking, "take", killed)
        assert emojob("forget", place, "--yes", "--where", WHERE)[0] == 1
    assert len(with_name(tmp_path, log)) >= 4
    code, out, _ = emojob("forget", place, "--yes", "--where", WHERE)
    assert (code, "no rows match" in out) == (0, True)
    assert with_name(tmp_path, log) == []
    assert not (tmp_path / "a.memo").exists()


def test_files_are_found_after_the_folder_was_moved_or_the_archive_renamed(emojob, log, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "here/reports").mkdir()
    for place in ("out", "out.parquet"):
        assert emojob("score", log, "-o", place, "--quiet", "--memo", "a.memo")[0] == 0
        assert emojob("report", place, "--html", f"reports/{place}.html", "--by", "speaker")[0] == 0
        assert emojob("sql", place, "FROM labelled", "-o", f"reports/{place}.csv")[0] == 0
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").rename("there")
    Path("there/out.parquet").rename("there/new.parquet")
    Path("there/out").rename("there/new")
    for place in ("there/new", "there/new.parquet"):
        code, out, _ = emojob("forget", place, "--yes", "--where", WHERE)
        assert (code, out.count(" kept ")) == (3, 1), out
    assert with_name(tmp_path, log) == ["there/reports/out.csv", "there/reports/out.parquet.csv"]
    assert not Path("there/a.memo").exists()


# -- other people's archives -------------------------------------------------------------------------------------------


def test_an_untrusted_archive_changes_no_file_of_the_user(emojob, log, tiny_model, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    names = ("bashrc", "settings.json", "page.html", "other.parquet", "target")
    for name in names:
        (home / name).write_text("mine")
    assert emojob("score", log, "-o", "mine", "--quiet", "--memo", "home/mine.memo")[0] == 0
    assert emojob("report", "mine", "--html", "home/mine.html")[0] == 0
    assert emojob("score", log, "-o", "out", "--quiet")[0] == 0
    (home / "link").symlink_to(home / "target")
    os.mkfifo(home / "pipe")
    state = tmp_path / "out/_emojob"
    (state / "night.toml").write_text(
        f'[input]\nfiles = "x.csv"\n[output]\narchive = "{tmp_path}/out"\n'
        f'report = "{home}/page.html"\nfigures = "{home}/bashrc"\n[score]\nmodel = "{tiny_model}"\n'
    )
    night = {"format": 1, "seen": {}, "day": "2026-11-21", "config": str(state / "night.toml")}
    (state / "nightly.json").write_text(json.dumps(night))
    run = json.loads((state / "run.json").read_text())
    run["options"]["memo"] = str(home / "mine.memo")
    (state / "run.json").write_text(json.dumps(run))
    (state / "derived").mkdir(exist_ok=True)
    mark = f"{'0' * 32}-0-0"
    (tmp_path / "out/down").symlink_to(home)
    for i, name in enumerate([*names, "mine.html", "link", "pipe"]):
        record = {"format": 1, "kind": "report", "mark": mark, "path": str(home / name)}
        (state / f"derived/{i}.json").write_text(json.dumps(record))
    for i, inside in enumerate(("down/settings.json", "../home/target", "/etc/hostname", "down/mine.html")):
        (state / f"derived/inside{i}.json").write_text(json.dumps({"kind": "memo", "mark": mark, "inside": inside}))
    before = {file.name: file.read_bytes() for file in home.iterdir() if file.is_file()}
    for _ in range(2):
        code, out, _ = emojob("forget", "out", "--yes", "--where", WHERE)
        assert (code, "deleted" in out, "remade" in out) == (3, False, False), out
    assert {file.name: file.read_bytes() for file in home.iterdir() if file.is_file()} == before
    assert (home / "link").is_symlink()
    for name in ("bashrc", "mine.memo", "mine.html", "link", "pipe"):
        assert f"home/{name} may show removed rows" in out, name


@pytest.mark.parametrize("what", ["/etc/hostname", "log.csv.link", "folder", "missing", "part"])
def test_a_file_that_must_not_be_deleted_is_refused_before_a_row_is_removed(emojob, log, what, tmp_path):
    assert emojob("score", log, "-o", "out", "--quiet")[0] == 0
    (tmp_path / "log.csv.link").symlink_to(log)
    (tmp_path / "folder").mkdir()
    (part,) = Path("out").glob("part-*.parquet")
    args = ("--memo", what) if what == "/etc/hostname" else ("--also", part if what == "part" else what)
    code, _, err = emojob("forget", "out", "--yes", "--where", WHERE, *args)
    assert (code, err.count("\n")) == (2, 1), err
    assert NAME in contents(part)


@pytest.mark.parametrize("version", ["1", "2", "3"])
@pytest.mark.parametrize("name", ["out", "out.parquet"])
def test_files_of_an_archive_of_an_earlier_version_are_listed(emojob, version, name, tmp_path, monkeypatch):
    formats = Path(__file__).parents[3] / "formats" / version
    monkeypatch.chdir(tmp_path)
    shutil.copytree(formats, tmp_path / "archive")
    place = tmp_path / "archive" / name
    old = tmp_path / "old.memo"
    assert emojob("sql", place, "FROM labelled", "-o", "all.parquet")[0] == 0
    old.write_bytes(b"")
    if name == "out":
        run = json.loads((place / "_emojob/run.json").read_text())
        run["options"]["memo"] = "old.memo"
        (place / "_emojob/run.json").write_text(json.dumps(run))
    code, out, _ = emojob("forget", place, "--yes", "--where", "true")
    assert not (tmp_path / "all.parquet").exists()
    if name == "out":
        assert (code, f"--memo {old}" in out, old.exists()) == (3, True, True), out
        code, out, _ = emojob("forget", place, "--yes", "--where", "true", "--memo", old)
        assert (code, old.exists()) == (0, False), out


# -- commands at the same time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["out", "out.parquet"])
@pytest.mark.parametrize("command", [
    ("report", "--html", "r.html", "--json", "r.json", "--by", "speaker"),
    ("sql", "FROM labelled", "-o", "all.csv"),
    ("sql", "--export", "a.duckdb", "--copy"),
    ("sample", "--uncertain", "5", "-o", "s.csv", "--no-mask-pii"),
])  # fmt: skip
def test_a_forgetting_during_a_command_leaves_no_removed_row_in_its_file(
    emojob, log, place, command, tmp_path, monkeypatch
):
    assert emojob("score", log, "-o", place, "--quiet")[0] == 0
    codes: list[int] = []
    committing = writing.DerivedFile.committing

    def commit(self):
        if not codes:
            codes.append(emojob("forget", place, "--yes", "--where", WHERE)[0])
        return committing(self)

    monkeypatch.setattr(writing.DerivedFile, "committing", commit)
    name, *more = command
    assert emojob(name, place, *more)[0] == 0
    assert codes == [0]
    assert with_name(tmp_path, log) == []


def test_a_forgetting_before_the_report_of_a_night_is_written_is_refused_or_shown(
    emojob, log, tmp_path, tiny_model, monkeypatch
):
    log.rename(tmp_path / "2026-11-21.csv")
    (tmp_path / "night.toml").write_text(
        '[input]\nfiles = "{date}.csv"\n[output]\narchive = "out"\nreport = "report.html"\nfigures = "report.json"\n'
        f'mask_pii = false\n[score]\nmodel = "{tiny_model}"\nmax_rejects = "100"\n'
    )
    write, codes = report_files.write_report_files, []

    def forget_first(*args):
        codes.append(emojob("forget", "out", "--yes", "--where", WHERE)[0])
        return write(*args)

    monkeypatch.setattr("emojob.pipeline.nightly.night_report.write_report_files", forget_first)
    assert emojob("nightly", "night.toml", "--date", "2026-11-21", "--quiet")[0] == 0
    assert codes == [75]
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMOJOB_MODEL", str(tiny_model))
    assert emojob("forget", "out", "--yes", "--where", WHERE)[0] == 0
    assert with_name(tmp_path, tmp_path / "2026-11-21.csv") == []
    assert (tmp_path / "report.html").exists()


def test_an_archive_that_cannot_be_written_is_reported(emojob, log, monkeypatch, tmp_path):
    assert emojob("score", log, "-o", "out", "--quiet")[0] == 0

    def refused(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(writing, "add_record", refused)
    code, _, err = emojob("report", "out", "--html", "r.html")
    assert (code, "`emojob forget` will not know of r.html" in err) == (0, True), err
    assert (tmp_path / "r.html").exists()


@pytest.mark.parametrize("inside", ["_emojob", "_emojob/parts", "_emojob/derived"])
def test_a_link_in_the_archive_is_not_followed(emojob, chat, tmp_path, inside):
    """An archive that somebody else made may contain links to any folder."""
    assert emojob("score", chat, "-o", "out", "--quiet")[0] == 0
    assert emojob("report", "out", "--json", "page.json")[0] == 0
    (tmp_path / "out" / inside).rename(tmp_path / "elsewhere")
    (tmp_path / "out" / inside).symlink_to(tmp_path / "elsewhere")
    files = {file: file.read_bytes() for file in (tmp_path / "elsewhere").rglob("*") if file.is_file()}
    (tmp_path / "night.toml").write_text(f'[input]\nfiles = "{chat.name}"\n[output]\narchive = "out"\n')
    for command in (
        ("score", chat, "-o", "out"),
        ("nightly", "night.toml"),
        ("forget", "out", "--yes", "--where", "speaker = '홍길동'"),
        ("report", "out", "--html", "page.html"),
    ):
        code, _, err = emojob(*command)
        assert (code, "is a link" in err, err.count("\n")) == (2, True, 1), (command, err)
    assert {file: file.read_bytes() for file in (tmp_path / "elsewhere").rglob("*") if file.is_file()} == files


@pytest.mark.parametrize("place", ["out", "out.parquet"])
def test_forget_in_a_copy_does_not_delete_the_files_of_the_original(emojob, log, place, tmp_path):
    assert emojob("score", log, "-o", place, "--quiet")[0] == 0
    assert emojob("report", place, "--html", "r.html")[0] == 0
    copy = f"copy of {place}"
    (shutil.copytree if Path(place).is_dir() else shutil.copy)(place, copy)
    if not Path(place).is_dir():
        shutil.copytree(f".{place}.derived", f".{copy}.derived")
    page = Path("r.html").read_bytes()
    code, out, _ = emojob("forget", copy, "--yes", "--where", WHERE)
    assert (code, f"may belong to {tmp_path / place}, of which this archive is a copy" in out) == (3, True), out
    assert Path("r.html").read_bytes() == page
    assert emojob("forget", place, "--yes", "--where", WHERE)[0] == 0
    assert not Path("r.html").exists()


def test_forget_in_a_copied_folder_takes_the_copied_files(emojob, log, tmp_path):
    (tmp_path / "a").mkdir()
    assert emojob("score", log, "-o", "a/out", "--quiet")[0] == 0
    assert emojob("report", "a/out", "--html", "a/r.html")[0] == 0
    shutil.copytree("a", "b")
    assert emojob("forget", "b/out", "--yes", "--where", WHERE)[0] == 0
    assert (Path("a/r.html").exists(), Path("b/r.html").exists()) == (True, False)
    shutil.move("a", "c")
    assert emojob("forget", "c/out", "--yes", "--where", WHERE)[0] == 0
    assert not Path("c/r.html").exists()


def test_a_report_that_another_archive_has_replaced_is_not_deleted(emojob, log, tmp_path):
    for place in ("one", "two"):
        assert emojob("score", log, "-o", place, "--quiet")[0] == 0
        assert emojob("report", place, "--html", "r.html")[0] == 0
    code, out, _ = emojob("forget", "one", "--yes", "--where", WHERE)
    assert (code, "r.html may show removed rows, but carries the mark of another archive" in out) == (3, True), out
    assert Path("r.html").exists()
    assert emojob("forget", "two", "--yes", "--where", WHERE)[0] == 0
    assert not Path("r.html").exists()
