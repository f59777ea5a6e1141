"""The time, conversation and speaker columns that a later run names are those of the archive."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.running.run import score_dataset
from emojob.schemas.errors import ColumnError
from emojob.schemas.options import ModelOptions, ScoreOptions

COLUMNS = {
    "when": ["2026-11-23 09:00", "2026-11-24 10:00"],
    "voice": ["a", "b"],
    "place": ["r", "r"],
    "date": ["x", "y"],
}


@pytest.fixture(params=["out", "out.parquet"])
def out(request, tmp_path):
    return tmp_path / request.param


@pytest.fixture
def score(tmp_path, tiny_model, out):
    """Label an input of two rows, and return (result, messages)."""
    pq.write_table(pa.table({"text": ["네", "아니요"], **COLUMNS}), tmp_path / "log.parquet")
    model = ModelOptions(model=str(tiny_model), precision="fp32")

    def scored(**options):
        notes = []
        result = score_dataset([str(tmp_path / "log.parquet")], out, ScoreOptions(**options), model, note=notes.append)
        return result, notes

    return scored


def roles(out) -> tuple[str | None, str | None, str | None]:
    archive = open_labelled(out)
    return archive.time_column, archive.conversation_column, archive.speaker_column


def test_columns_of_a_later_run_are_taken_although_all_rows_are_labelled(score, out):
    score()
    assert roles(out) == ("date", None, None)
    rows = pq.read_table(out)
    result, notes = score(time_column="when", conversation_column="place", speaker_column="voice")
    assert (result.rows_done, result.counts.read) == (0, 2)
    assert roles(out) == ("when", "place", "voice")
    assert notes == [
        "the time column of the archive is now when (before: date, found by its name)",
        "the conversation column of the archive is now place (before: none)",
        "the speaker column of the archive is now voice (before: none)",
    ]
    assert result.run["options"]["time_column"] == open_labelled(out).run["options"]["time_column"] == "when"
    assert pq.read_table(out).equals(rows)
    assert score(time_column="when")[1] == []
    assert score(time_column="date")[1] == ["the time column of the archive is now date (before: when)"]
    assert roles(out) == ("date", "place", "voice")


def test_a_run_that_names_no_columns_keeps_them(score, out, tmp_path):
    score(time_column="when", speaker_column="voice")
    assert score()[1] == []
    assert roles(out) == ("when", None, "voice")
    pq.write_table(pa.table({"text": ["네"] * 3, "voice": ["c"] * 3}), tmp_path / "log.parquet")  # without a time
    assert score()[0].rows_done == 3
    assert roles(out) == ("when", None, "voice")
    pq.write_table(pa.table({"text": ["네"] * 2, **COLUMNS}), tmp_path / "log.parquet")
    score(fresh=True)
    assert roles(out) == ("date", None, None)


def test_an_unknown_column_is_refused_although_all_rows_are_labelled(score, out):
    score(time_column="when")
    with pytest.raises(ColumnError, match="--speaker-column nobody: the input has no such column"):
        score(speaker_column="nobody")
    assert roles(out) == ("when", None, None)


def test_the_counts_and_the_time_of_the_run_that_labelled_the_rows_stay(score, out):
    score()
    before = open_labelled(out).run
    score(time_column="when")
    after = open_labelled(out).run
    assert after == {**before, "options": {**before["options"], "time_column": "when"}}


@pytest.mark.parametrize("options", [[], "x", {"time_column": 5, "speaker_column": ["voice"]}])
def test_damaged_options_of_the_run_before_are_ignored(score, out, options):
    score(time_column="when")
    if out.is_dir():
        file = out / "_emojob/run.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"options": options}))
        score(speaker_column="voice")
        assert roles(out) == ("date", None, "voice")


def test_an_input_with_the_same_counts_is_described_in_run_json(score, out, tmp_path):
    if out.is_dir():
        score()
        pq.write_table(pa.table({"text": ["네", "아니요"], **COLUMNS}), tmp_path / "other.parquet")
        model = ModelOptions(model=open_labelled(out).run["options"]["model"], precision="fp32")
        for name in ("other.parquet", "log.parquet"):
            score_dataset([str(tmp_path / name)], out, None, model)
            assert [one["name"] for one in open_labelled(out).run["inputs"]] == [str(tmp_path / name)]
