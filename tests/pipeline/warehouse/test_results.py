"""Results of queries as CSV, JSON and Parquet."""

import contextlib
import csv
import datetime
import io
import json
import re
import zipfile
from pathlib import Path

import fastexcel
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.jobs.terminal.query_table import print_table
from emojob.pipeline.storage import spreadsheet
from emojob.pipeline.warehouse.results import format_of, write, write_file
from emojob.schemas.errors import OptionError
from emojob.schemas.sheet import FORMULA_PATTERN, escape_cell

_EVERYTHING = """
    SELECT 1::HUGEINT AS h, 1.5::DECIMAL(5, 2) AS d, TIMESTAMP '2026-11-25 10:00:00' AS t, DATE '2026-11-25' AS day,
    INTERVAL 3 DAY AS i, [1, 2] AS l, {'a': 1, 'b': 'x'} AS s, MAP {'k': 1} AS m, 'x'::BLOB AS b, 'NaN'::DOUBLE AS n,
    uuid() AS u, TIME '10:00' AS tm, true AS bo, NULL AS z, 'a"b' || chr(10) || '가' AS txt, 'a'::ENUM('a', 'b') AS e
"""


def written(session, query: str, form: str) -> bytes:
    stream = io.BytesIO()
    write(session.query(query), stream, form)
    return stream.getvalue()


def test_json_is_a_list_of_objects(session):
    assert json.loads(written(session, "SELECT emotion, room FROM labelled ORDER BY ALL", "json")) == [
        {"emotion": "기쁨", "room": "a"}, {"emotion": "분노", "room": "b"}, {"emotion": None, "room": "b"},
    ]  # fmt: skip
    assert json.loads(written(session, "FROM labelled WHERE false", "json")) == []


@pytest.mark.parametrize("form", ["json", "csv", "parquet", "xlsx"])
def test_every_type_can_be_written(session, form):
    content = written(session, _EVERYTHING, form)
    if form == "json":
        (row,) = json.loads(content)
        assert (row["t"], row["d"], row["l"], row["m"], row["n"]) == (
            "2026-11-25T10:00:00",
            1.5,
            [1, 2],
            {"k": 1},
            "nan",
        )
    if form == "csv":
        (row,) = csv.DictReader(io.StringIO(content.decode()))
        assert (row["h"], row["day"], row["l"], row["txt"]) == ("1", "2026-11-25", "[1, 2]", 'a"b\n가')
    if form == "xlsx":
        (row,) = read_workbook(content)
        assert (row["h"], row["d"], row["l"], row["txt"], row["n"]) == (1.0, 1.5, "[1, 2]", 'a"b\n가', "nan")
        assert (row["t"], row["day"]) == (datetime.datetime(2026, 11, 25, 10), datetime.datetime(2026, 11, 25))


def read_workbook(content: bytes) -> list[dict[str, object]]:
    return fastexcel.read_excel(content).load_sheet("result").to_polars().to_dicts()


def test_texts_in_a_workbook_stay_texts(session):
    texts = ["=1+1", "+82-10", "007", "1e5", "2026-11-25", "http://a.example", "_x0041_", "\x01\r\n가", "{=A1}", "true"]
    listed = ", ".join(f"('{one}')" for one in texts)
    content = written(session, f'SELECT t AS "=t" FROM (VALUES {listed}) v(t)', "xlsx")
    assert [row["=t"] for row in read_workbook(content)] == texts
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        assert b"<f>" not in packed.read("xl/worksheets/sheet1.xml")
        assert b"quotePrefix" in packed.read("xl/styles.xml")


def test_numbers_and_times_that_excel_cannot_hold_become_texts(session):
    query = """SELECT 1234567890123456 AS i, 0.1::DECIMAL(38, 20) AS d,
        '100000000000000000000'::DECIMAL(38, 5) AS large,
        TIMESTAMP '1899-12-31 10:00:00' AS t,
        TIMESTAMP '2026-11-25 10:00:00.123456' AS us, 'infinity'::DOUBLE AS f"""
    (row,) = read_workbook(written(session, query, "xlsx"))
    assert row == {
        "i": "1234567890123456", "d": 0.1, "large": "100000000000000000000.00000", "t": "1899-12-31 10:00:00",
        "us": "2026-11-25 10:00:00.123456", "f": "inf",
    }  # fmt: skip


def test_what_a_sheet_cannot_hold_is_refused(session, tmp_path, monkeypatch):
    with pytest.raises(OptionError, match=r"row 1 of the column 'x' is longer than 32,767"):
        write_file(session.query("SELECT repeat('가', 32768) AS x"), tmp_path / "a.xlsx", "xlsx")
    assert write_file(session.query("SELECT repeat('가', 32767) AS x"), tmp_path / "a.xlsx", "xlsx") == 1
    monkeypatch.setattr(spreadsheet, "MOST_ROWS", 2)
    with pytest.raises(OptionError, match=r"a sheet holds at most 2 rows; write a \.csv or \.parquet file instead"):
        write_file(session.query("SELECT * FROM range(3)"), tmp_path / "b.xlsx", "xlsx")
    assert [one.name for one in tmp_path.iterdir()] == ["a.xlsx"]


def test_csv_cells_with_formulas_are_escaped(session):
    query = """SELECT text AS "=cmd", -1 AS n FROM labelled ORDER BY text"""
    assert written(session, query, "csv").decode().splitlines() == [
        '"\'=cmd","n"', '"\'=1+1",-1', '"좋아요",-1', ",-1",
    ]  # fmt: skip


@given(st.text(max_size=12) | st.text("=+-@'＝\t\r\n \u200b\u3000\xad가1", max_size=6))
def test_the_column_pattern_escapes_the_same_cells_as_escape_cell(text):
    with contextlib.suppress(UnicodeEncodeError):
        marked = pc.match_substring_regex(pa.array([text], pa.large_string()), FORMULA_PATTERN)[0].as_py()
        assert marked == (escape_cell(text, keep_values=True) != text)


def test_parquet_keeps_the_types(session, tmp_path):
    assert write_file(session.query("SELECT text, confidence FROM labelled"), tmp_path / "a.parquet", "parquet") == 3
    assert pq.read_schema(tmp_path / "a.parquet").field("confidence").type == pa.float32()


def test_a_failed_query_leaves_the_file_unchanged(session, tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("before")
    with pytest.raises(OptionError):
        write_file(session.query("SELECT error('late') FROM range(300000) WHERE range = 299999"), file, "csv")
    assert file.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["a.csv"]


def test_the_format_is_given_or_follows_the_suffix():
    assert format_of(None, None) == "table"
    assert format_of(Path("a.JSON"), None) == "json"
    assert format_of(Path("a.txt"), "csv") == "csv"
    with pytest.raises(OptionError, match=re.escape(".txt")):
        format_of(Path("a.txt"), None)


@pytest.mark.parametrize(
    "value",
    [
        "DATE 'infinity'", "TIMESTAMP '290000-01-01'", "TIMESTAMPTZ 'infinity'", "TIME_NS '10:00:00.123456789'",
        "TIMESTAMP_NS '2020-01-01 00:00:00.123456789'", "[TIMESTAMP '-infinity', NULL]",
        "{'a': [DATE '200000-01-01']}", "MAP {DATE 'infinity': 1}", "union_value(a := 1)", "{'a': {'b': NULL}}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["table", "csv", "json", "parquet", "xlsx"])
def test_a_value_of_any_type_is_shown_or_refused_in_one_line(session, form, value, tmp_path):
    result = session.query(f"SELECT {value} AS value FROM labelled")
    if form == "table":
        print_table(result)
    elif form == "parquet" and "union" in value:
        with pytest.raises(OptionError, match="CAST the column to VARCHAR"):
            write_file(result, tmp_path / "found", form)
    else:
        assert write_file(result, tmp_path / "found", form) == 3
