"""`emojob sql` on an archive with columns of other names: aliases, rejected rows, views, files for other tools."""

import codecs
import json
import os
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

import emojob as api
from emojob.schemas.labels import DEFAULT_LABELS
from tests.archives import table_of, utterance, write_part, write_run


@pytest.fixture
def shop(tmp_path):
    """An archive of the logs of a shop, in a folder with an unusual name."""
    out = tmp_path / "shop [1]"
    rows = [utterance("기쁨", 0.9, None, msg=f"말 {i}", who="고객", order_no=f"o{i}") for i in range(3)]
    write_part(out, table_of(rows, labels=DEFAULT_LABELS).drop_columns(["text"]))
    write_run(out)
    run = out / "_emojob/run.json"
    run.write_text(json.dumps(json.loads(run.read_text()) | {"text_column": "msg"}))
    return out


def values(emojob, out: Path, query: str) -> list:
    code, printed, err = emojob("sql", out, query, "--format", "json")
    assert code == 0, err
    return json.loads(printed)


def test_the_text_column_is_text_in_queries_whatever_its_name_is(emojob, shop):
    found = values(emojob, shop, "SELECT text, msg FROM labelled WHERE text LIKE '말%' ORDER BY text")
    assert found == [{"text": f"말 {i}", "msg": f"말 {i}"} for i in range(3)]


def test_show_tables_lists_the_views_of_users(emojob, shop):
    names = {row["name"] for row in values(emojob, shop, "show tables;")}
    assert {"labelled", "emotions", "days", "rejects", "soured"} <= names
    assert not names & {"talks", "turns", "hours", "extremes", "spoken", "in_conversations", "shared_ids"}
    assert values(emojob, shop, "SELECT count(*) AS n FROM talks") == [{"n": 0}]  # still there for old queries


@pytest.mark.parametrize("place", ["out", "out.parquet"])
def test_rejected_rows_are_a_view(emojob, tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    Path("log.csv").write_text("id,text\n1,네\n2,아니요,010-1234-5678,x\n3,좋아요\n", "utf-8")
    assert emojob("score", "log.csv", "-o", place, "--quiet")[0] == 0
    (row,) = values(emojob, place, "FROM rejects")
    assert (row["position"], row["input"].endswith("log.csv"), "아니요" in row["raw"]) == (2, True, True)
    for more in ((), ("--copy",)):
        assert emojob("sql", place, "--export", "x.duckdb", *more)[0] == 0
        os.chdir("/")
        with duckdb.connect(str(tmp_path / "x.duckdb"), read_only=True) as db:
            assert db.execute("SELECT position FROM rejects").fetchall() == [(2,)]
            assert db.execute("SELECT count(*) FROM labelled").fetchall() == [(2,)]
        os.chdir(tmp_path)
    rejects = tmp_path / ("out/_emojob/rejects.parquet" if place == "out" else "out.rejects.parquet")
    rejects.write_text("damaged")
    assert values(emojob, place, "SELECT count(*) AS n FROM labelled") == [{"n": 2}]
    assert emojob("sql", place, "FROM rejects")[0] == 2
    rejects.unlink()
    rejects.symlink_to(next(tmp_path.rglob("part-*.parquet"), tmp_path / "out.parquet"))
    assert values(emojob, place, "FROM rejects") == []


def test_a_csv_file_begins_with_a_mark_for_excel_and_the_terminal_says_that_it_is_not_masked(emojob, shop, tmp_path):
    file = tmp_path / "a.csv"
    code, _, err = emojob("sql", shop, "SELECT text FROM labelled", "-o", file)
    assert (code, err.count("\n"), "not masked" in err) == (0, 1, True)
    assert file.read_bytes().startswith(codecs.BOM_UTF8 + b'"text"')
    assert pl.read_csv(file).columns == ["text"]
    assert "마스킹되지 않았습니다" in emojob("sql", shop, "FROM labelled", "-o", file, "--language", "ko")[2]
    assert emojob("sql", shop, "SELECT text FROM labelled", "--format", "csv")[1].startswith('"text"')
    run = shop / "_emojob/run.json"
    run.write_text(json.dumps(json.loads(run.read_text()) | {"privacy": {"mask_pii": True}}))
    assert emojob("sql", shop, "FROM labelled", "-o", file)[2] == f"3 rows in {file}\n"


@pytest.mark.parametrize("name", ["x.csv", "x.JSON", "x.tsv.gz", "x.xlsx"])
def test_score_refuses_an_output_of_another_format(emojob, tmp_path, name):
    (tmp_path / "log.csv").write_text("text\n네\n")
    code, _, err = emojob("score", tmp_path / "log.csv", "-o", tmp_path / name)
    assert (code, err.count("\n"), "-o x.emotions" in err, (tmp_path / name).exists()) == (2, 1, True, False)
    assert ("emojob sql" in err) == (name.lower() in ("x.csv", "x.json"))


def test_the_pattern_is_for_any_tool(shop, tmp_path):
    with api.open(shop) as archive:
        pattern = archive.path_pattern
    assert pl.scan_parquet(pattern).select("msg").collect().height == 3
    assert duckdb.sql(f"SELECT count(*) FROM read_parquet('{pattern}')").fetchall() == [(3,)]
    assert len(pq.read_table(shop)) == 3  # PyArrow opens the folder
