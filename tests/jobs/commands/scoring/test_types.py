"""Files whose columns have other types than in the other files, as a user meets them."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.jobs import python_api as api


@pytest.fixture
def logs(tmp_path, monkeypatch):
    """Two files: in the first, `room` is a number; in the second, it is text. The text column is binary."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    texts = pa.array([b"\xea\xb0\x80", b"\xff"])
    pq.write_table(pa.table({"text": texts, "room": [7.0, None], "speaker": texts[:1].take([0, 0])}), "logs/a.parquet")
    pq.write_table(pa.table({"text": ["나"], "room": ["b-7"], "speaker": ["다"]}), "logs/b.parquet")
    return "logs"


def test_a_number_and_a_text_are_refused_and_the_proposed_option_works(emojob, logs, tmp_path):
    code, out, err = emojob("score", logs, "-o", "out")
    assert (code, out) == (2, "")
    assert "column 'room' is double in" in err
    assert "--as-text 'room'" in err
    assert not (tmp_path / "out/run.json").exists()
    code, out, err = emojob("score", logs, "-o", "out", "--as-text", "room")
    assert code == 0
    assert "3 read = 2 labelled + 0 empty + 1 rejected" in out
    assert "binary columns that are read as text, because the bytes are UTF-8: text, speaker" in err
    code, out, _ = emojob("sql", "out", "SELECT text, room, speaker FROM labelled ORDER BY text", "--format", "csv")
    assert out.splitlines() == ['"text","room","speaker"', '"가","7","가"', '"나","b-7","다"']
    rejects = pq.read_table(tmp_path / "out/_emojob/rejects.parquet").to_pylist()
    assert [(one["position"], one["reason"]) for one in rejects] == [(2, "text is not valid UTF-8")]


def test_a_column_that_no_file_has_cannot_be_text(emojob, logs):
    code, _, err = emojob("score", logs, "-o", "out", "--as-text", "room", "--as-text", "rooms")
    assert code == 2
    assert "--as-text rooms: the input has no such column" in err


def test_the_api_reads_one_or_several_columns_as_text(logs, tiny_model):
    for given in ("room", ["room"]):
        assert api.score(logs, f"{given}", model=tiny_model, as_text=given).counts.written == 2
