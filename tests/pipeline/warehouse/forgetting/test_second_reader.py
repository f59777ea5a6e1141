"""The second reader: finds the rows of a condition without the views of the first reader, and stops a wrong removal."""

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.warehouse import forget as forgetting
from emojob.pipeline.warehouse.forget import forget
from emojob.pipeline.warehouse.forgetting import matching
from emojob.pipeline.warehouse.forgetting.derived import Request
from emojob.pipeline.warehouse.forgetting.matching import find_rows
from emojob.pipeline.warehouse.query import open_session
from emojob.schemas.errors import EmojobError, OptionError
from emojob.schemas.labels import DEFAULT_LABELS
from tests.archives import table_of, utterance, write_part, write_run

DAY = datetime.datetime(2026, 11, 20, 10)


@pytest.fixture
def out(tmp_path):
    return write_parts(tmp_path / "out", None)


def write_parts(out: Path, no_time: str | None) -> Path:
    """Write two parts with other types, so the view has wider types than the parts."""
    for number in range(2):
        rows = [
            utterance(
                "기쁨" if i % 2 else None, 0.5 + i / 100, f"말 {i}", User_ID=f"p{i}",
                n=i, sent_at=str(DAY + datetime.timedelta(days=i)) if i % 3 else no_time,
                room=f"r{i % 3}" if i else " ", speaker=None, tags=["a", f"t{i}"], person={"name": f"p{i}"},
            )
            for i in range(20)
        ]  # fmt: skip
        table = table_of(rows, labels=DEFAULT_LABELS)
        if number:
            table = table.set_column(table.column_names.index("n"), "n", table["n"].cast(pa.int8()))
            table = table.set_column(
                table.column_names.index("User_ID"), "User_ID", table["User_ID"].dictionary_encode()
            )
        write_part(out, table, number)
    return write_run(out, conversation_column="room")


def request(where: str) -> Request:
    return Request(where, (), (), dry_run=False)


@pytest.mark.parametrize(
    ("where", "rows", "is_able"),
    [
        ("User_ID = 'p3'", 2, True),
        ("user_id = 'p3' AND USER_ID LIKE 'p%'", 2, True),
        ("n BETWEEN 2 AND 4 -- a comment", 6, True),
        ("emotion IS NULL AND text IS NULL", 20, True),
        ("emotion = '기쁨' AND confidence < 0.6", 10, True),
        ("said_at < TIMESTAMP '2026-11-25'", 6, True),
        ("said_at IS NULL", 14, True),
        ("conversation_id IS NULL", 2, True),
        ("conversation_id = 'r1' AND room = 'r1'", 14, True),
        ("list_contains(tags, 't4') OR person.name = 'p5'", 4, True),
        ("list_contains(list_transform(tags, lambda x: upper(x)), 'T4')", 2, True),
        ("n IN (SELECT max(n) FROM labelled)", 2, False),
        ("COLUMNS('^n$') = 3", 2, False),
    ],
)
def test_two_readers_find_the_same_rows(out, where, rows, is_able):
    said: list[str] = []
    with find_rows(open_labelled(out), request(where), said.append) as found:
        assert (found.count, found.reader.is_able) == (rows, is_able)
    assert any("second reader" in line for line in said) != is_able


@pytest.mark.slow
def test_two_readers_read_unusual_times_alike(tmp_path):
    """A value in another form makes the first reader use the parser of all forms."""
    out = write_parts(tmp_path / "out", "26.11.20 오후 3:10")
    for where, rows in (("said_at < TIMESTAMP '2026-11-25'", 20), ("hour(said_at) = 15", 14)):
        with find_rows(open_labelled(out), request(where)) as found:
            assert (found.count, found.reader.is_able) == (rows, True)


@pytest.mark.parametrize("shift", ["another row", "one more", "one less"])
def test_a_first_reader_that_finds_other_rows_removes_nothing(out, monkeypatch, shift):
    first = matching._matching

    def wrong(*args):
        found = first(*args)
        file, rows = next(iter(found.items()))
        changes = {"another row": rows + 1, "one more": np.append(rows, rows + 1), "one less": rows[:0]}
        return found | {file: changes[shift]}

    monkeypatch.setattr(matching, "_matching", wrong)
    before = {part: part.read_bytes() for part in out.glob("part-*")}
    with pytest.raises(EmojobError, match="nothing was removed") as error:
        forget(out, "User_ID = 'p3'")
    assert error.value.exit_code == 1
    assert {part: part.read_bytes() for part in out.glob("part-*")} == before


def test_a_new_file_with_a_row_that_matches_is_discarded(out, monkeypatch):
    def keep_all(file, draft, removed, metadata=None):
        table = pq.read_table(file)
        pq.write_table(pa.concat_tables([table[1:], table[:1]])[: len(table) - len(removed)], draft.sink)

    monkeypatch.setattr(forgetting, "_copy_without", keep_all)
    before = sorted((part.name, part.read_bytes()) for part in out.glob("part-*"))
    with pytest.raises(EmojobError, match="nothing was removed"):
        forget(out, "User_ID = 'p3'")
    assert sorted((part.name, part.read_bytes()) for part in out.glob("part-*")) == before


@pytest.mark.parametrize(
    ("zone", "where", "rows"),
    [
        ("UTC", "sent_at < '2026-01-01'", ["a"]),
        ("UTC", "sent_at < DATE '2026-01-01'", ["a"]),
        ("UTC", "sent_at < TIMESTAMP '2026-01-01'", ["a"]),
        ("UTC", "sent_at::DATE = '2025-12-31'", ["a"]),
        ("UTC", "CAST(sent_at AS VARCHAR) LIKE '2026-01-01%'", ["b", "c", "d"]),
        ("UTC", "said_at < '2026-01-01'", ["a"]),
        ("UTC", "sent_at < TIMESTAMPTZ '2026-01-01 00:00:00+00'", ["a", "b", "c"]),
        ("America/New_York", "sent_at < '2026-01-01'", ["a", "b", "c", "d"]),
        ("+05:30", "sent_at < '2026-01-01'", ["a", "b", "c"]),
    ],
)
def test_times_with_a_zone_are_compared_in_the_time_zone_of_the_archive(tmp_path, zone, where, rows):
    moments = [(2025, 12, 31, 14, 59, 59), (2025, 12, 31, 15), (2025, 12, 31, 23, 59), (2026, 1, 1)]
    table = table_of([utterance("기쁨", who=who) for who in "abcd"], labels=DEFAULT_LABELS)
    times = pa.array([datetime.datetime(*moment) for moment in moments], pa.timestamp("us", "UTC"))
    table = table.add_column(0, "sent_at", times.cast(pa.timestamp("us", zone)))
    write_part(tmp_path / "out", table)
    archive = open_labelled(write_run(tmp_path / "out"))
    with open_session(archive) as session:
        found = session.relation(f"SELECT who FROM labelled WHERE {where} ORDER BY who").fetchall()
    assert [who for (who,) in found] == rows
    with find_rows(archive, request(where)) as found:
        assert (found.count, found.reader.is_able) == (len(rows), True)


@pytest.mark.parametrize("order", ["mdy", pytest.param("dmy", marks=pytest.mark.slow)])
def test_times_in_two_columns_are_checked_too(tmp_path, order):
    days = ["03/04/26", "04/03/26", None]
    rows = [utterance("기쁨", date=day, time=f"0{hour}:30") for hour, day in enumerate(days)]
    write_part(tmp_path / "out", table_of(rows, labels=DEFAULT_LABELS))
    write_part(tmp_path / "out", table_of(rows, labels=DEFAULT_LABELS).drop_columns(["time"]), 1)
    archive = open_labelled(write_run(tmp_path / "out"))
    asked = Request("said_at < TIMESTAMP '2026-04-01' AND hour(said_at) < 2", (), (), dry_run=False, date_order=order)
    with find_rows(archive, asked) as found:
        assert found.reader.is_able
        assert [rows.tolist() for rows in found.rows.values()] == [[order == "dmy"]]


@pytest.mark.parametrize(
    ("where", "is_able"),
    [
        ("labelled = 'L3' AND numbered = '3'", True),
        ("Labelled.numbered = '3'", True),
        ("labelled.labelled = 'L3'", True),
        ("labelled.\"select\" = '3'", True),
        ("person.name = 'p3'", True),
        (
            "EXISTS (SELECT 1 FROM labelled AS l WHERE l.labelled = labelled.labelled AND labelled.labelled = 'L3')",
            False,
        ),
    ],
)
def test_the_columns_of_a_condition_are_those_of_the_view_labelled(tmp_path, where, is_able):
    rows = [
        utterance("기쁨", labelled=f"L{i}", numbered=str(i), select=str(i), person={"name": f"p{i}"}) for i in range(5)
    ]
    write_part(tmp_path / "out", table_of(rows, labels=DEFAULT_LABELS))
    with find_rows(open_labelled(write_run(tmp_path / "out")), request(where)) as found:
        assert ([rows.tolist() for rows in found.rows.values()], found.reader.is_able) == ([[3]], is_able)


def test_a_struct_with_the_name_of_the_view_is_a_column(tmp_path):
    rows = [utterance("기쁨", labelled={"who": f"p{i}"}) for i in range(5)]
    write_part(tmp_path / "out", table_of(rows, labels=DEFAULT_LABELS))
    archive = open_labelled(write_run(tmp_path / "out"))
    with find_rows(archive, request("labelled.who = 'p3'")) as found:
        assert (found.count, found.reader.is_able, found.condition.names) == (1, True, ("labelled",))
    with pytest.raises(OptionError, match='Candidate tables: "labelled"'), find_rows(archive, request("other.x = 1")):
        pass
