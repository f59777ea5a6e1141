"""Reading a labelled archive: its rows by number, and the meaning of its columns."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output import labelled_archive
from emojob.pipeline.output.labelled_archive import open_labelled, text_column_of
from emojob.pipeline.output.parts import read_schemas, schema_name
from emojob.pipeline.warehouse.open_archive import open_archive
from emojob.schemas.errors import OutputError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.schemas.manifest import OUT_FORMAT
from tests.archives import table_of, utterance, write_archive, write_part, write_run


@pytest.fixture
def out(tmp_path):
    """An archive of two parts, 120 and 30 rows. The second one lacks the column `shop`."""
    first = [utterance("기쁨", text=f"{i}번", shop=i) for i in range(120)]
    second = [utterance("분노", text=f"{i}번") for i in range(120, 150)]
    write_part(tmp_path, table_of(first, labels=DEFAULT_LABELS))
    write_part(tmp_path, table_of(second, labels=DEFAULT_LABELS), number=1)
    return write_run(tmp_path)


def test_all_rows_come_in_order_and_a_missing_column_is_null(out):
    batches = list(open_labelled(out).batches(["text", "shop"]))
    assert [(first, part_file.input) for first, part_file, _ in batches] == [(0, "0.csv"), (120, "1.csv")]
    rows = [row for _, _, batch in batches for row in batch.to_pylist()]
    assert rows == [{"text": f"{i}번", "shop": i if i < 120 else None} for i in range(150)]


def test_rows_are_read_by_their_numbers(out):
    found = list(open_labelled(out).rows(np.array([149, 3, 119, 120, 49, 3]), ["text"]))
    assert [numbers.tolist() for numbers, _ in found] == [[3, 49], [119], [120, 149]]  # one for each row group
    assert [row["text"] for _, batch in found for row in batch.to_pylist()] == [
        "3번",
        "49번",
        "119번",
        "120번",
        "149번",
    ]
    assert list(open_labelled(out).rows(np.array([], np.int64), ["text"])) == []


def test_the_columns_of_the_input_and_of_the_labels_are_told_apart(tmp_path):
    rows = [utterance("기쁨", room="a", prob_x=0.5)]
    archive = open_labelled(write_archive(tmp_path, rows, prefix="ai_", conversation_column="room"))
    assert archive.columns == ("text", "room", "prob_x")
    assert archive.labels == DEFAULT_LABELS
    assert archive.status_column == "ai_emotion_status"
    assert archive.probability_columns == [f"ai_prob_{label}" for label in DEFAULT_LABELS]
    assert (archive.conversation_column, archive.time_column, archive.speaker_column) == ("room", None, None)


def test_a_role_is_the_column_of_the_run_or_one_with_a_usual_name(tmp_path):
    rows = [utterance("기쁨", session_id="a", speaker="s", who="w")]
    archive = open_labelled(write_archive(tmp_path, rows, speaker_column="who"))
    assert (archive.conversation_column, archive.speaker_column) == ("session_id", "who")


def test_an_archive_without_text_says_so(tmp_path):
    table = table_of([utterance("기쁨", id=1)], labels=DEFAULT_LABELS).drop_columns(["text"])
    write_part(tmp_path, table)
    run = {"format": 1, "text_column": "text", "prefix": "", "privacy": {"drop_text": True}}
    (tmp_path / "_emojob" / "run.json").write_text(json.dumps(run))
    archive = open_labelled(tmp_path)
    assert (archive.text_column, archive.columns) == (None, ("id",))
    with pytest.raises(OutputError, match="--drop-text"):
        text_column_of(archive)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"text_column": 3}', '{"text_column": "text", "prefix": []}'])
def test_a_damaged_run_json_is_refused_with_the_next_step(out, content):
    (out / "_emojob" / "run.json").write_text(content)
    with pytest.raises(OutputError, match=r"_emojob/run\.json.*same `emojob score` command"):
        open_labelled(out)


def test_wrong_types_in_run_json_are_ignored(out):
    run = {"text_column": "text", "options": [], "privacy": "x", "counts": 3}
    (out / "_emojob" / "run.json").write_text(json.dumps(run))
    assert open_labelled(out).run == {"text_column": "text"}


def test_a_column_of_run_json_that_the_parts_lack_is_refused(out):
    (out / "_emojob" / "run.json").write_text(json.dumps({"text_column": "body", "prefix": ""}))
    with pytest.raises(OutputError, match="has no column body"):
        open_labelled(out)


def test_what_is_no_labelled_archive_is_refused(tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        open_labelled(tmp_path / "nothing")
    with pytest.raises(OutputError, match="is not a labelled archive"):
        open_labelled(tmp_path)
    (tmp_path / "_emojob").mkdir()
    with pytest.raises(OutputError, match="no labelled rows"):
        open_labelled(tmp_path)
    pq.write_table(pa.table({"text": ["네"]}), tmp_path / "plain.parquet")
    with pytest.raises(OutputError, match="is not a labelled archive"):
        open_labelled(tmp_path / "plain.parquet")


def test_a_single_file_of_a_newer_version_is_refused(tmp_path):
    about = json.dumps({"format": OUT_FORMAT + 1, "run": {"text_column": "text"}}).encode()
    table = table_of([utterance("기쁨")], labels=DEFAULT_LABELS).replace_schema_metadata({b"emojob": about})
    pq.write_table(table, tmp_path / "one.parquet")
    with pytest.raises(OutputError, match=f"format {OUT_FORMAT + 1}"):
        open_labelled(tmp_path / "one.parquet")


def two_days(tmp_path, first: dict, second: dict, **options):
    """An archive of two inputs: a row with the columns of `first`, and a row with the columns of `second`."""
    for number, more in enumerate((first, second)):
        write_part(tmp_path, table_of([utterance("기쁨", text=f"{number}번", **more)], labels=DEFAULT_LABELS), number)
    return write_run(tmp_path, **options)


def test_columns_of_later_inputs_are_columns_of_the_archive(tmp_path):
    two_days(tmp_path, {"shop": 1}, {"sent_at": "2026-11-23 09:00", "room_id": "a", "speaker": "s", "shop": 2})
    archive = open_labelled(tmp_path)
    assert archive.columns == ("text", "shop", "sent_at", "room_id", "speaker")
    roles = archive.time_column, archive.conversation_column, archive.speaker_column
    assert roles == ("sent_at", "room_id", "speaker")


def test_a_column_that_differs_in_case_is_one_column_as_in_duckdb(tmp_path):
    two_days(tmp_path, {"Who": "a", "É": 1}, {"who": "b", "é": 2}, speaker_column="who")
    archive = open_labelled(tmp_path)
    assert (archive.columns, archive.speaker_column) == (("text", "Who", "É", "é"), "Who")
    rows = [row for _, _, batch in archive.batches(["Who"]) for row in batch.to_pylist()]
    assert rows == [{"Who": "a"}, {"Who": "b"}]
    found = [row for _, batch in archive.rows(np.array([1, 0]), ["who"]) for row in batch.to_pylist()]
    assert found == [{"who": "a"}, {"who": "b"}]


def test_a_later_part_without_the_text_or_the_labels_is_refused(tmp_path):
    table = table_of([utterance("기쁨", body="네")], labels=DEFAULT_LABELS)
    two_days(tmp_path, {}, {})
    write_part(tmp_path, table.drop_columns(["text"]), number=2)
    with pytest.raises(OutputError, match=r"part-00002-000000000000\.parquet has no column text"):
        open_labelled(tmp_path)


def test_a_part_file_is_opened_once_for_each_schema_that_the_markers_name(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(labelled_archive, "read_schemas", lambda files: opened.extend(files) or read_schemas(files))
    for number in range(4):
        more = {"shop": 1} if number % 2 else {}
        part = write_part(tmp_path, table_of([utterance("기쁨", **more)], labels=DEFAULT_LABELS), number)
        marker = tmp_path / "_emojob/parts" / f"{part.stem}.json"
        name = schema_name(pq.read_schema(part))
        marker.write_text(json.dumps(json.loads(marker.read_text()) | {"columns": None if number == 3 else name}))
    write_run(tmp_path)
    assert open_labelled(tmp_path).columns == ("text", "shop")
    assert [int(file.name.split("-")[1]) for file in opened] == [0, 1, 3]


@pytest.mark.parametrize(
    "overlapping", [[(0, 400), (400, 400), (700, 300), (800, 200)], [(0, 1000), (300, 400)], [(0, 600), (400, 600)]]
)
def test_overlapping_parts_give_no_row_twice(tmp_path, overlapping):
    for first, rows in overlapping:
        made = [utterance("기쁨", id=i) for i in range(first, first + rows)]
        write_part(tmp_path, table_of(made, labels=DEFAULT_LABELS), first_row=first)
    write_run(tmp_path)
    ids = [row for _, _, batch in open_labelled(tmp_path).batches(["id"]) for row in batch["id"].to_pylist()]
    assert len(ids) == len(set(ids)) >= 600
    with open_archive(tmp_path) as archive:
        assert archive.sql("SELECT count(*), count(DISTINCT id) FROM labelled").fetchall() == [(len(ids), len(ids))]
        assert archive.to_arrow()["id"].to_pylist() == ids
