"""`emojob score` treats null markers and placeholders of messengers as empty."""

import json

import pyarrow.parquet as pq
import pytest

from tests.command_line import one_line

TEXTS = ["좋아요", "NULL", "\\N", "사진", "삭제된 메시지입니다.", "", "사진 보내 주세요"]
STATUSES = ["scored", "empty", "empty", "empty", "empty", "empty", "scored"]


@pytest.fixture
def chat(tmp_path):
    """A file with null markers and placeholders."""
    path = tmp_path / "chat.csv"
    path.write_text("id,text\n" + "".join(f"{i},{text}\n" for i, text in enumerate(TEXTS)), encoding="utf-8")
    return path


def test_they_are_empty_and_counted_apart(emojob, chat, tmp_path):
    code, out, _ = emojob("score", chat)
    assert code == 0
    assert "empty includes 2 null markers (such as NULL) and 2 placeholders of messengers" in out
    rows = pq.read_table(tmp_path / "chat.emotions").to_pydict()
    assert rows["text"] == TEXTS
    assert rows["emotion_status"] == STATUSES
    counts = json.loads((tmp_path / "chat.emotions/_emojob/run.json").read_text())["counts"]
    assert (counts["empty"], counts["null_markers"], counts["placeholders"]) == (5, 2, 2)


def test_placeholders_can_be_labelled(emojob, chat, tmp_path):
    assert emojob("score", chat, "--no-placeholders")[0] == 0
    statuses = pq.read_table(tmp_path / "chat.emotions").column("emotion_status").to_pylist()
    assert statuses == ["scored", "empty", "empty", "scored", "scored", "empty", "scored"]
    code, _, err = emojob("score", chat)
    assert code == 2
    assert "labelled with --no-placeholders" in one_line(err)


def test_the_counts_stay_right_after_forget(emojob, chat, tmp_path):
    emojob("score", chat)
    assert emojob("forget", tmp_path / "chat.emotions", "--yes", "--where", "id IN ('1', '3', '0')")[0] == 0
    (marker,) = (tmp_path / "chat.emotions/_emojob/parts").iterdir()
    counts = json.loads(marker.read_text())["counts"]
    assert (counts["empty"], counts["null_markers"], counts["placeholders"]) == (3, 1, 1)
