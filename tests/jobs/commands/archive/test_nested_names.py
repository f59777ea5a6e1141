"""Fields of a struct whose names differ only in upper and lower case: each is addressed exactly, or refused."""

import json

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.warehouse.exact_texts import nested_texts, twin_fields
from emojob.schemas.labels import DEFAULT_LABELS
from tests.archives import table_of, utterance, write_part, write_run

PEOPLE = [{"id": "p0", "ID": "p1"}, {"id": "p1", "ID": "p0"}, None]
TWINS = pa.struct([("id", pa.string()), ("ID", pa.string())])


def write(out, *parts: dict[str, pa.Array]):
    for number, columns in enumerate(parts):
        rows = [utterance("기쁨", text=f"{number}-{i}") for i in range(len(next(iter(columns.values()))))]
        table = table_of(rows, labels=DEFAULT_LABELS)
        for name, column in columns.items():
            table = table.add_column(0, name, column)
        write_part(out, table, number)
    return write_run(out)


@pytest.fixture
def out(tmp_path):
    lists = pa.array([[one, one] for one in PEOPLE], pa.list_(TWINS))
    return write(tmp_path / "out", {"s": pa.array(PEOPLE, TWINS), "l": lists})


USES = [
    "\"s\".\"ID\" = 'p0'", "s.ID = 'p0'", "s['ID'] = 'p0'", "labelled.s.ID = 'p0'", "l[1].\"ID\" = 'p0'", "len(l) = 2",
    "l[1] IS NOT NULL", "l[1:1] IS NOT NULL", "list_extract(l, 1) IS NOT NULL", "contains(L, 'p0')",
]  # fmt: skip


@pytest.mark.parametrize("use", USES)
def test_a_field_that_duckdb_would_confuse_is_refused(emojob, out, use):
    before = [file.read_bytes() for file in sorted(out.glob("part-*"))]
    column = use[0].strip('"') if use[0] in '"sl' and not use.startswith(("len", "list", "labelled")) else ""
    for command in (("forget", out, "--yes", "--where", use), ("sql", out, f"SELECT {use} FROM labelled")):
        if "labelled.s" in use and command[0] == "forget":
            continue  # the condition of `emojob forget` has no name for the view
        code, printed, err = emojob(*command)
        assert (code, printed, err.count("\n"), "id, ID" in err) == (2, "", 1, True)
        assert f"the column {column!r}" in err or not column
    assert [file.read_bytes() for file in sorted(out.glob("part-*"))] == before


def test_another_mistake_is_explained_as_before(emojob, out):
    for query in ("SELECT s, nosuch FROM labelled", "SELECT l FROM nosuch"):
        code, _, err = emojob("sql", out, query)
        assert (code, "nosuch" in err, "id, ID" in err) == (2, True, False)
    assert "id, ID" in emojob("sql", out, "SELECT unnest(l) FROM labelled")[2]


def test_the_named_field_is_read_and_forgotten(emojob, out, tmp_path):
    query = """SELECT s, json_extract_string(s, '$."ID"') AS upper FROM labelled ORDER BY text"""
    found = json.loads(emojob("sql", out, query, "--format", "json")[1])
    assert [row["s"] and json.loads(row["s"]) for row in found] == PEOPLE
    assert [row["upper"] for row in found] == ["p1", "p0", None]
    assert emojob("sql", out, "FROM labelled", "-o", tmp_path / "x.parquet")[0] == 0
    assert [one and json.loads(one) for one in pq.read_table(tmp_path / "x.parquet")["s"].to_pylist()] == PEOPLE
    code, _, err = emojob("sql", out, "--export", tmp_path / "x.duckdb")
    assert (code, "--copy" in err) == (2, True)
    assert emojob("sql", out, "--export", tmp_path / "x.duckdb", "--copy")[0] == 0
    with duckdb.connect(str(tmp_path / "x.duckdb"), read_only=True) as db:
        assert db.execute("SELECT s FROM labelled ORDER BY text LIMIT 1").fetchall() == [('{"id": "p0", "ID": "p1"}',)]
    code, _, err = emojob("forget", out, "--yes", "--where", """json_extract_string(s, '$."ID"') = 'p0'""")
    assert (code, "second reader" in err) == (0, False)
    (part,) = open_labelled(out).part_files
    assert pq.read_table(part.file)["s"].to_pylist() == [PEOPLE[0], None]


def test_fields_of_different_parts_and_names_twice_are_kept_apart(emojob, tmp_path):
    parts = [{"s": pa.array([{name: name}])} for name in ("id", "ID")]
    out = write(tmp_path / "out", *parts)
    found = json.loads(emojob("sql", out, "SELECT s FROM labelled ORDER BY text", "--format", "json")[1])
    assert [json.loads(row["s"]) for row in found] == [{"id": "id"}, {"ID": "ID"}]
    twice = pa.StructArray.from_arrays([pa.array([1]), pa.array([[None, 2]])], ["a", "a"])
    out = write(tmp_path / "twice", {"s": twice})
    assert emojob("sql", out, "SELECT s FROM labelled", "--format", "json")[1] == (
        '[\n{"s": "{\\"a\\": 1, \\"a\\": [null, 2]}"}\n]\n'
    )
    assert "rename" in emojob("sql", out, "SELECT s.a FROM labelled")[2]


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        ([pa.struct([("e\u0301", pa.int8()), ("\u00e9", pa.int8())])], []),
        ([pa.struct([("Key", pa.int8())]), pa.struct([("Key", pa.int64()), ("value", pa.int8())])], []),
        ([pa.list_(pa.field("item", pa.int8())), pa.list_(pa.field("element", pa.int8()))], []),
        ([pa.struct([("a", pa.list_(TWINS))])], ["id", "ID"]),
        ([pa.map_(pa.string(), TWINS)], ["id", "ID"]),
        ([pa.string(), TWINS], ["id", "ID"]),
    ],
)
def test_only_fields_that_sql_cannot_tell_apart_are_twins(kinds, found):
    assert twin_fields(kinds)[1] == found


def test_the_message_names_the_path_of_the_field(tmp_path):
    inner = pa.struct([("people", pa.list_(TWINS))])
    out = write(tmp_path / "out", {"s": pa.array([{"people": [PEOPLE[0]]}], inner)})
    message = nested_texts(open_labelled(out))["s"]
    path = message.split("json_extract_string")[1].split("'")[1]
    text = json.dumps({"people": [PEOPLE[0]]})
    found = duckdb.execute("SELECT json_extract_string($text, $path)", {"text": text, "path": path}).fetchall()
    assert found == [("p1",)]
