"""`emojob forget`: a person who asks to be forgotten is forgotten."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output import part_writer
from emojob.pipeline.reading import chunks
from tests.personal_data import PHONE, content, holders, table


@pytest.mark.parametrize("place", ["out", "out.parquet"])
def test_forget_removes_the_rows_of_a_person_and_updates_the_counts(emojob, chat, place, tmp_path):
    memo = ("--memo", "out.memo")
    assert emojob("score", chat, "-o", place, "--quiet", *memo)[0] == 0
    before = table(place)
    code, out, _ = emojob("forget", place, "--yes", "--where", "speaker = '홍길동'", "--memo", "out.memo", "--dry-run")
    assert (code, "2 rows in 1 part would be removed, 4 would be left" in out) == (0, True)
    assert table(place).equals(before)
    assert (tmp_path / "out.memo").exists()
    code, out, _ = emojob("forget", place, "--yes", "--where", "speaker = '홍길동'", "--memo", "out.memo")
    assert (code, "2 rows in 1 part removed permanently, 4 are left" in out) == (0, True)
    assert not (tmp_path / "out.memo").exists()
    left = table(place)
    kept = pa.array([name != "홍길동" for name in before["speaker"].to_pylist()])
    assert left.to_pylist() == before.filter(kept).to_pylist()
    assert left.schema.equals(before.schema)
    files = [file for file in tmp_path.rglob("*") if file.is_file() and file != chat]
    assert not [file for file in files if "홍길동".encode() in content(file)]
    code, out, _ = emojob("score", chat, "-o", place, *memo)
    assert (code, "Already complete" in out) == (0, True)
    assert "7 read = 4 labelled + 0 empty + 1 rejected + 2 forgotten" in out
    assert emojob("sql", place, "SELECT sum(rows)::INT FROM emotions", "--format", "csv")[1].splitlines()[1] == "4"
    code, out, _ = emojob("forget", place, "--yes", "--where", "speaker = '홍길동'")
    assert (code, "no rows match; all 4 rows are still there" in out) == (5, True)


@pytest.mark.parametrize("place", ["out", "out.parquet"])
def test_forget_follows_a_symbolic_link(emojob, chat, place, tmp_path):
    assert emojob("score", chat, "-o", place, "--quiet")[0] == 0
    link = tmp_path / f"link to {place}"
    link.symlink_to(place)
    assert emojob("forget", link, "--yes", "--where", "speaker = '홍길동'")[0] == 0
    assert link.is_symlink()
    assert "홍길동" not in table(place)["speaker"].to_pylist()


@pytest.mark.parametrize("name", ["../victim/precious", "part-00000-000000000000"])
@pytest.mark.parametrize("part", ["../../../victim/settings.parquet", "a/../b", "part-00000-000000000000.parquet/.."])
def test_a_forged_journal_touches_no_other_file(emojob, chat, tmp_path, name, part):
    assert emojob("score", chat, "-o", "out", "--quiet")[0] == 0
    (tmp_path / "victim").mkdir()
    for file in ("precious.parquet", "settings.json"):
        (tmp_path / "victim" / file).write_text("mine")
    (marker,) = Path("out/_emojob/parts").glob("*.json")
    plain = json.loads(marker.read_text()) | {"part": part}
    Path("out/_emojob/exchange.json").write_text(json.dumps({"format": 3, "markers": {name: plain}}))
    before = table("out").to_pylist()
    nobody = ("forget", "out", "--yes", "--where", "speaker = '없음'")
    for command, code in ((nobody, 5), (("score", chat, "-o", "out", "--quiet"), 0)):
        assert emojob(*command)[0] == code
        assert table("out").to_pylist() == before
    assert {file.name: file.read_text() for file in (tmp_path / "victim").iterdir()} == {
        "precious.parquet": "mine", "settings.json": "mine",
    }  # fmt: skip


NAMES = pa.array(["홍길동", "김철수"] + ["이영희"] * 38).dictionary_encode()
EACH = list(range(41))


@pytest.mark.parametrize("place", ["out", "out.parquet"])
@pytest.mark.parametrize(
    ("person", "where"),
    [
        (NAMES, "person = '홍길동'"),
        (pa.ListArray.from_arrays(EACH, NAMES), "person[1] = '홍길동'"),
        (pa.LargeListArray.from_arrays(EACH, NAMES), "person[1] = '홍길동'"),
        (pa.ListViewArray.from_arrays(EACH[:-1], [1] * 40, NAMES), "person[1] = '홍길동'"),
        (pa.StructArray.from_arrays([NAMES], ["name"]), "person.name = '홍길동'"),
        (pa.MapArray.from_arrays(EACH, NAMES, NAMES), "person['홍길동'] IS NOT NULL"),
        (pa.ListArray.from_arrays(EACH, pa.StructArray.from_arrays([NAMES], ["x"])), "person[1].x = '홍길동'"),
    ],
    ids=["plain", "list", "large_list", "list_view", "struct", "map", "structs"],
)
def test_a_value_of_a_dictionary_is_removed_with_its_rows(emojob, tmp_path, monkeypatch, place, person, where):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(part_writer, "PART_ROWS", 10)  # parts of slices of one batch
    for name in ("_FIRST_ROWS", "_FEWEST_ROWS"):
        monkeypatch.setattr(chunks, name, 10)
    pq.write_table(pa.table({"text": ["네"] * 40, "person": person}), "log.parquet")
    assert emojob("score", "log.parquet", "-o", place, "--quiet")[0] == 0
    if place == "out":
        assert len(list(Path("out").glob("part-*"))) == 4
        assert holders(Path("out"), "홍길동") == ["part-00000-000000000000.parquet"]
    assert emojob("forget", place, "--yes", "--where", where)[0] == 0
    found = table(place)
    assert found["person"].type == person.type
    assert found["person"].to_pylist() == person.to_pylist()[1:]
    Path("log.parquet").unlink()
    assert holders(tmp_path, "홍길동") == []


def test_a_name_in_the_metadata_or_in_a_dictionary_of_an_earlier_version_is_removed(emojob, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pandas = json.dumps({"attributes": {"by": "홍길동"}, "columns": []})
    categories = pa.field("n", pa.int64(), metadata={"_PL_ENUM_VALUES": "홍길동"})
    schema = pa.schema([("text", pa.string()), categories], {"export of": "홍길동", "pandas": pandas})
    for day in range(2):
        rows = pa.table([["네", "아니요"], [day, day + 5]], schema=schema)
        pq.write_table(rows, f"{day}.parquet")
    assert emojob("score", "0.parquet", "1.parquet", "-o", "out", "--quiet")[0] == 0
    parts = sorted(Path("out").glob("part-*"))
    old = pq.read_table(parts[1])  # as an earlier version wrote it: with a dictionary of the whole input
    pq.write_table(old.append_column("who", pa.DictionaryArray.from_arrays([1, 1], ["홍길동", "김철수"])), parts[1])
    marker = Path("out/_emojob/parts") / f"{parts[1].stem}.json"
    plain = json.loads(marker.read_text()) | {"part_bytes": parts[1].stat().st_size}
    del plain["compact"]
    marker.write_text(json.dumps(plain))
    assert holders(Path("out"), "홍길동") == [part.name for part in parts]
    code, printed, _ = emojob("forget", "out", "--yes", "--where", "n = 0")
    assert (code, "1 row in 1 part removed permanently, 3 are left" in printed) == (0, True)
    assert holders(Path("out"), "홍길동") == []
    assert emojob("sql", "out", "SELECT sum(n)::INT FROM labelled", "--format", "csv")[1].splitlines()[1] == "12"


def test_forget_removes_rows_of_several_parts_or_of_none(emojob, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for day in range(3):
        pq.write_table(
            pa.table({"text": [f"말 {i}" for i in range(50)], "person": [f"p{(i + day) % 5}" for i in range(50)]}),
            f"{day}.parquet",
        )
    assert emojob("score", "0.parquet", "1.parquet", "2.parquet", "-o", "out", "--quiet")[0] == 0
    assert "30 rows in 3 parts removed" in emojob("forget", "out", "--yes", "--where", "person = 'p3'")[1]
    some = ", ".join(f"'말 {i}'" for i in range(1, 50, 5))
    assert (
        "10 rows in 1 part removed"
        in emojob("forget", "out", "--yes", "--where", f"person = 'p1' AND text IN ({some})")[1]
    )
    assert "all 110 rows" in emojob("forget", "out", "--yes", "--where", "person IS NULL")[1]
    assert (
        "110 rows in 3 parts removed permanently, 0 are left" in emojob("forget", "out", "--yes", "--where", "true")[1]
    )
    assert "Already complete" in emojob("score", "0.parquet", "1.parquet", "2.parquet", "-o", "out")[1]


@pytest.mark.parametrize(
    "where",
    [
        "",
        "speaker",
        "nobody = 1",
        "speaker = 'a' OR",
        "true); DELETE FROM labelled; --",
        "1",
        "confidence",
        "NULL, NULL",
        'true) UNION ALL SELECT "emojob part", "emojob row" FROM numbered WHERE (true',
        "false) UNION ALL SELECT 99, 0 WHERE (true",
        "true LIMIT 1",
        "1) UNION SELECT 1, 2; SELECT (1",
        "text IN (SELECT content FROM read_text('/etc/passwd'))",
    ],
)
def test_an_invalid_condition_removes_nothing(emojob, chat, where):
    assert emojob("score", chat, "-o", "out", "--quiet")[0] == 0
    before = table("out")
    code, _, err = emojob("forget", "out", "--yes", "--where", where)
    assert (code, err.count("\n")) == (2, 1), err
    assert table("out").equals(before)


def test_the_report_of_a_night_is_remade_after_forget(emojob, chat, tmp_path, tiny_model):
    chat.rename(tmp_path / "2026-11-21.csv")
    (tmp_path / "night.toml").write_text(
        f'[input]\nfiles = "{{date}}.csv"\n[output]\narchive = "out"\nreport = "report.html"\nfigures = "report.json"\n'
        f'[score]\nmodel = "{tiny_model}"\nmemo = "night.memo"\n[monitoring]\nlog = "night.jsonl"\n'
    )
    night = ("nightly", "night.toml", "--date", "2026-11-21", "--quiet")
    assert emojob(*night)[0] == 0
    for place in ("report.html", "report.json"):
        assert "배송이 늦어서" in (tmp_path / place).read_text()
        assert PHONE not in (tmp_path / place).read_text()
    code, out, _ = emojob("forget", "out", "--yes", "--where", "conversation_id = 'c2'")
    assert (code, "2 rows" in out) == (0, True)
    assert "report.html" in out
    for place in ("report.html", "report.json", "night.jsonl"):
        assert "배송이 늦어서" not in (tmp_path / place).read_text()
    assert json.loads((tmp_path / "report.json").read_text())["archive"]["rows"] == 4
    assert not (tmp_path / "night.memo").exists()
    assert emojob(*night)[0] == 0
    assert len(table("out")) == 4


@pytest.mark.parametrize("counts", [5, None, {"scored": "x"}])
def test_forget_refuses_a_file_without_valid_counts(emojob, chat, counts):
    assert emojob("score", chat, "-o", "out.parquet", "--quiet")[0] == 0
    whole = pq.read_table("out.parquet")
    about = json.loads(whole.schema.metadata[b"emojob"])
    about["run"]["all_counts"] = counts
    pq.write_table(whole.replace_schema_metadata({b"emojob": json.dumps(about)}), "out.parquet")
    code, _, err = emojob("forget", "out.parquet", "--yes", "--where", "speaker = '홍길동'")
    assert (code, err.count("\n"), "has no valid row counts" in err) == (2, 1, True), err


def test_a_condition_on_times_says_which_values_are_not_times(emojob, tmp_path):
    (tmp_path / "chat.csv").write_text("text,sent_at\n네,2026-11-23 09:00\n아니요,모름\n글쎄요,03/04/2026\n", "utf-8")
    out = tmp_path / "out"
    assert emojob("score", tmp_path / "chat.csv", "-o", out, "--quiet")[0] == 0
    old = ("forget", out, "--yes", "--where", "said_at < DATE '2026-05-01'", "--dry-run")
    _, printed, err = emojob(*old)
    assert "no rows match" in printed
    assert err.count("\n") == 1
    assert "--date-order" in err
    _, printed, err = emojob(*old, "--date-order", "dmy")
    assert "1 row in 1 part would be removed" in printed
    assert "1 value of the column sent_at is not a time" in err
    assert emojob("forget", out, "--yes", "--where", "text = '네'", "--dry-run")[2] == ""


# -- damaged rejected rows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["text", "link", "missing"])
def test_a_damaged_file_of_all_rejected_rows_is_made_again(emojob, chat, tmp_path, damage):
    assert emojob("score", chat, "-o", "out", "--quiet", "--memo", "m")[0] == 0
    rejects = Path("out/_emojob/rejects.parquet")
    (tmp_path / "mine").write_text("mine")
    rejects.unlink()
    if damage == "text":
        rejects.write_text("damaged")
    elif damage == "link":
        rejects.symlink_to(tmp_path / "mine")
    assert emojob("forget", "out", "--yes", "--where", "speaker = '홍길동'")[0] == 0
    assert pq.read_table(rejects)["raw"].to_pylist() == [""]
    assert not rejects.is_symlink()
    assert (tmp_path / "mine").read_text() == "mine"
    assert not Path("m").exists()


@pytest.mark.parametrize("place", ["part", "folder", "beside"])
def test_damaged_rejected_rows_are_refused_before_a_row_is_removed(emojob, chat, place):
    out = "out.parquet" if place == "beside" else "out"
    assert emojob("score", chat, "-o", out, "--quiet")[0] == 0
    if place == "folder":
        Path("out/_emojob/rejects.parquet").unlink()
        Path("out/_emojob/rejects.parquet").mkdir()
    else:
        pattern = "out/_emojob/parts/*.rejects.parquet" if place == "part" else "out.rejects.parquet"
        (file,) = Path().glob(pattern)
        file.write_text("damaged")
    before = table(out)
    for extra in (("--dry-run",), ()):
        code, _, err = emojob("forget", out, "--yes", "--where", "speaker = '홍길동'", *extra)
        assert (code, err.count("\n"), "rejects.parquet" in err) == (2, 1, True), err
    assert table(out).equals(before)
    if place == "part":  # the next step of the message
        counted = emojob("sql", out, "SELECT count(*)::INT FROM labelled", "--format", "csv")[1]
        assert counted.split()[-1] == str(len(before))
        file.unlink()
        assert emojob("score", chat, "-o", out, "--quiet")[0] == 0
        assert emojob("forget", out, "--yes", "--where", "speaker = '홍길동'")[0] == 0
        assert "홍길동" not in table(out)["speaker"].to_pylist()
