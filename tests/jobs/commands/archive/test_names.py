"""Names of folders and columns that DuckDB, a shell or a glob reads otherwise: each command addresses exactly these."""

import json
import os
import re

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.labels import DEFAULT_LABELS
from tests.archives import table_of, utterance, write_archive, write_part, write_run

FOLDERS = [
    "chat[1]", "chat*", "cha?1", "**", "[!x]*", "[a-z]*", "{chat1,b}", "~", "~root", "day=1", "it's", 'q"q',
    "a\\b", "a,b", "a#b", "a%20b", "a b", "a\nb", "-o", "--help", "file:", "s3:", "$HOME", "`id`", "a;b",
    "한글[1]", "[", "]", "*", "?", "a.b.", "x" * 200, "\u00a0", "a\tb",
]  # fmt: skip


@pytest.mark.parametrize("name", [*FOLDERS[:2], *(pytest.param(name, marks=pytest.mark.slow) for name in FOLDERS[2:])])
def test_an_archive_with_any_name_is_read_exactly(emojob, tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for decoy in ("chat1", "chat2", "x", "a", "b", "한글1"):
        write_archive(tmp_path / decoy, [utterance("분노", 0.9, "남의 말", channel="남")] * 3)
    rows = [utterance("기쁨", 0.9, "내 말", channel=channel) for channel in ("앱", "웹", "앱")]
    out = write_archive(tmp_path / name, rows)
    query = "SELECT string_agg(DISTINCT text) AS text, count(*) AS rows FROM labelled"
    assert json.loads(emojob("sql", out, query, "--format", "json")[1]) == [{"text": "내 말", "rows": 3}]
    code, printed, err = emojob("report", out, "--json", "figures.json")
    assert (code, "남의 말" in printed) == (0, False), err
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["archive"]["rows"] == 3
    assert {row["value"] for row in figures["breakdowns"]["channel"]} == {"앱", "웹"}
    for more in ([], ["--copy"]):
        assert emojob("sql", out, "--export", "x.duckdb", *more)[0] == 0
        with duckdb.connect("x.duckdb", read_only=True) as db:
            columns = [row[0] for row in db.execute("DESCRIBE labelled").fetchall()]
            assert db.execute("SELECT text, count(*) FROM labelled GROUP BY ALL").fetchall() == [("내 말", 3)]
        assert "day" not in columns
    assert emojob("forget", out, "--yes", "--where", "channel = '웹'")[0] == 0
    assert len(pq.read_table(open_labelled(out).part_files[0].file)) == 2
    assert len(pq.read_table(open_labelled(tmp_path / "chat1").part_files[0].file)) == 3


@pytest.mark.parametrize("name", [*FOLDERS, b"\xff[1]"])
def test_an_input_with_any_name_is_found_exactly(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(name)
    for folder in ("chat1", "x", name):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "log.csv").write_text("text\n네\n")
        (tmp_path / f"{folder}.csv").write_text("text\n네\n")
    for given in (f"{tmp_path}/{name}", f"{tmp_path}/{name}/log.csv", f"{tmp_path}/{name}/*.csv"):
        assert [file.path for file in find_inputs([given])] == [tmp_path / name / "log.csv"]
    assert [file.path for file in find_inputs([f"{tmp_path}/{name}.csv"])] == [tmp_path / f"{name}.csv"]


COLUMNS = [
    "*", "rowid", "filename", "emojob part", "emojob row", "emojob part 0", "emojob row 0", "part", "row", "",
    "labelled", "select", "a.b", "labelled.text", "COLUMNS('x')", "COLUMNS(*)", "lambda x: x", "it's", 'q"q',
    "a\nb", "a\x00b", "[1]", "{a}", "#1", "$1", "?", "x" * 300, "value", "emotion ", "conversation",
    "input_number", "turn_number", "said_at", "speaker", "numbered", "null", "C0", "text_1", "::int", " ",
    "\u00a0", "가", "\u1100\u1161", "--", "/*", "true",
]  # fmt: skip


@pytest.mark.parametrize("name", [*COLUMNS[:6], *(pytest.param(name, marks=pytest.mark.slow) for name in COLUMNS[6:])])
def test_a_text_column_with_any_name_is_addressed_exactly(emojob, tmp_path, name):
    """The column is the text column, and each other column of COLUMNS is there too, with other values."""
    others = [one for one in COLUMNS if one != name]
    channels = ["앱", "웹", "앱", "웹"]
    rows = [utterance("기쁨", 0.5 + i / 10, None, channel=channel) for i, channel in enumerate(channels)]
    table = table_of(rows, labels=DEFAULT_LABELS).drop_columns(["text"])
    for other in others:
        table = table.add_column(0, other, pa.array([f"other {i}" for i in range(4)]))
    table = table.add_column(2, name, pa.array([f"말 {i}" for i in range(4)]))
    for number in (0, 1):
        write_part(tmp_path / "out", table.slice(2 * number, 2), 0, 2 * number)
    write_run(tmp_path / "out")
    run = tmp_path / "out/_emojob/run.json"
    run.write_text(json.dumps(json.loads(run.read_text()) | {"text_column": name}))
    query = "SELECT text FROM utterances ORDER BY part, row"
    found = json.loads(emojob("sql", tmp_path / "out", query, "--format", "json")[1])
    assert [row["text"] for row in found] == [f"말 {i}" for i in range(4)]
    code, printed, err = emojob("report", tmp_path / "out")
    printed = re.sub(r"\(speakers:[^)]*\)", "", printed)  # the roles are unknown, so the values of `speaker` are named
    assert (code, bool(re.search(r"\bother \d", printed))) == (0, False), err
    if name:
        assert emojob("report", tmp_path / "out", "--by", name)[0] == 0
    assert emojob("forget", tmp_path / "out", "--yes", "--where", "channel = '웹' AND confidence > 0.7")[0] == 0
    left = [pq.read_table(part.file)[name].to_pylist() for part in open_labelled(tmp_path / "out").part_files]
    assert left == [["말 0", "말 1"], ["말 2"]]


TWINS = [("Text", "text"), ("text", "TEXT"), ("text", "방", "ROOM", "room"), ("text", "text_1", "Text")]


@pytest.mark.parametrize("names", TWINS)
def test_names_that_are_the_same_in_sql_are_refused_before_anything_happens(emojob, tmp_path, names):
    (tmp_path / "log.csv").write_text(",".join(names) + "\n" + ",".join(["네"] * len(names)) + "\n")
    code, _, err = emojob("score", tmp_path / "log.csv", "-o", tmp_path / "new", "--text-column", "text")
    assert (code, err.count("\n"), "rename" in err) == (2, 1, True)
    assert not (tmp_path / "new").exists()
    rows = [utterance("기쁨", 0.9, None)] * 2
    table = table_of(rows, labels=DEFAULT_LABELS).drop_columns(["text"])
    for name in reversed(names):
        table = table.add_column(0, name, pa.array(["네", "응"]))
    plain = table_of([utterance("기쁨", 0.9, "네", text_1="x", room="y")], labels=DEFAULT_LABELS)
    write_part(tmp_path / "out", plain)
    part = write_part(tmp_path / "out", table, 1)
    write_run(tmp_path / "out")
    before = part.read_bytes()
    for command in (
        ("report",), ("sql", "FROM labelled"), ("forget", "--yes", "--where", "text = '네'"),
        ("sql", "--export", tmp_path / "x.duckdb"),
    ):  # fmt: skip
        code, printed, err = emojob(command[0], tmp_path / "out", *command[1:])
        assert (code, printed, err.count("\n")) == (2, "", 1)
        assert "the same in SQL" in err
    assert part.read_bytes() == before


@pytest.mark.parametrize("names", [("\u00e9", "e\u0301"), ("가", "\u1100\u1161"), ("Straße", "STRASSE")])
def test_names_in_another_unicode_form_are_refused(emojob, tmp_path, names):
    (tmp_path / "log.csv").write_text(f"text,{names[0]},{names[1]}\n네,1,2\n")
    code, _, err = emojob("score", tmp_path / "log.csv", "-o", tmp_path / "new")
    assert (code, "rename" in err) == (2, True)


@pytest.mark.parametrize("name", ["EMOTION", "Prob_기쁨", "prob_\u1100\u1175\u1108\u1173\u11b7", "File_Index"])
def test_the_names_of_the_label_columns_are_reserved_in_every_form(emojob, tmp_path, name):
    (tmp_path / "log.csv").write_text(f"text,{name}\n네,1\n")
    code, _, err = emojob("score", tmp_path / "log.csv", "-o", tmp_path / "new")
    assert (code, err.count("\n")) == (2, 1)
    assert ("--prefix" in err) == (name != "File_Index")
    assert "rename" in err or "--prefix" in err
