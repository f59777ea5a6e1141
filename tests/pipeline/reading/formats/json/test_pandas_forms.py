"""Tables that pandas writes as one JSON object are refused with a command that converts them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from emojob.pipeline.reading.dataset import open_dataset, read_batches
from emojob.pipeline.reading.formats.json.pandas_forms import form_of
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.errors import ColumnError
from emojob.schemas.options import ReadOptions

ROWS = [{"id": number, "text": f"배송이 {number}일 늦어요"} for number in range(3)]
FORMS = {
    "columns": {name: {str(key): row[name] for key, row in enumerate(ROWS)} for name in ("id", "text")},
    "index": {str(key): row for key, row in enumerate(ROWS)},
    "split": {"columns": ["id", "text"], "index": [0, 1, 2], "data": [[row["id"], row["text"]] for row in ROWS]},
    "series": {str(key): row["text"] for key, row in enumerate(ROWS)},
}


def rows(*paths: Path) -> list[dict]:
    dataset = open_dataset(find_inputs(list(map(str, paths))), ReadOptions())
    return [row for source in dataset.sources for one in read_batches(dataset, source) for row in one.batch.to_pylist()]


@pytest.mark.parametrize("form", FORMS)
def test_the_command_in_the_message_converts_a_table(tmp_path, form):
    path = tmp_path / "a b.json"
    path.write_text(json.dumps(FORMS[form]))
    with pytest.raises(ColumnError, match="JSON as pandas writes it") as refused:
        rows(path)
    command = re.search(r"run python (.*) and then use", str(refused.value))[1]
    subprocess.run(f"{sys.executable} {command}", shell=True, check=True)
    expected = [{"text": row["text"]} for row in ROWS] if form == "series" else ROWS
    assert rows(tmp_path / "a b.rows.jsonl") == expected


def test_a_table_of_many_rows_is_recognized_too(tmp_path):
    many = range(20_000)
    for name, value in {
        "a.json": {"text": {str(number): "네" for number in many}},
        "b.json": {str(number): {"text": "네"} for number in many},
        "c.json": {"columns": ["text"], "index": list(many), "data": [["네"] for _ in many]},
    }.items():
        (tmp_path / name).write_text(json.dumps(value))
        with pytest.raises(ColumnError, match="JSON as pandas writes it"):
            rows(tmp_path / name)


def test_such_an_object_beside_data_is_passed_over(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"0": "기쁨", "1": "슬픔"}))
    (tmp_path / "b.jsonl").write_text('{"text": "네"}\n{"text": "응"}\n')
    assert [row["text"] for row in rows(tmp_path)] == ["네", "응"]


@pytest.mark.parametrize("value", [
    {"message": {"text": "네", "id": 3}}, {"0": {"text": "네"}}, {"a": {"x": "1"}, "b": {"y": "1"}}, {}, {"0": "네"},
])  # fmt: skip
def test_another_object_is_no_table(value):
    assert form_of(value, {}) == ""


def test_a_list_without_a_usual_name_is_offered_for_explode(tmp_path):
    ticket = {"comments": [{"id": 0, "body": "아직 안 왔어요"}, {"id": 1, "body": "감사합니다"}], "status": "open"}
    path = tmp_path / "tickets.jsonl"
    path.write_text(f"{json.dumps(ticket)}\n{json.dumps(ticket)}\n")
    with pytest.raises(ColumnError, match="if each item of 'comments' is an utterance, give --explode 'comments'"):
        rows(path)
