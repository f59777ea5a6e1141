"""A run gives each row its previous utterance, whatever the row batches, parts and interruptions."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.benchmark.measure import measure
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.output import part_writer
from emojob.pipeline.reading import chunks, context
from emojob.pipeline.running.dry_run import plan_run
from emojob.pipeline.running.run import score_dataset
from emojob.pipeline.system.prefetch import Stages
from emojob.schemas.errors import ColumnError, Interrupted, OutputError
from emojob.schemas.options import ModelOptions, ScoreOptions
from tests.dialogues import ROWS, previous_by_hand, rows_of_dialogue, write_dialogue


@pytest.fixture(scope="module")
def pair_model(make_model):
    """Return a model folder for a model that was trained on pairs."""
    return make_model(emojob_context="previous")


@pytest.fixture(scope="module")
def scorer(pair_model) -> Scorer:
    return load(pair_model)


def load(folder, **options) -> Scorer:
    return Scorer.load(str(folder), ModelOptions(**{"precision": "fp32", **options}))


@pytest.fixture
def model(pair_model) -> ModelOptions:
    return ModelOptions(model=str(pair_model), precision="fp32")


@pytest.fixture
def dialogue(tmp_path) -> Path:
    """A file of interleaved conversations."""
    write_dialogue(tmp_path / "log.parquet")
    return tmp_path / "log.parquet"


@pytest.fixture
def small_parts(monkeypatch):
    """Make parts of 400 rows and chunks of 80."""
    monkeypatch.setattr(part_writer, "PART_ROWS", 400)
    for name in ("_FIRST_ROWS", "_FEWEST_ROWS", "BATCH_ROWS"):
        monkeypatch.setattr(chunks, name, 80)


def read(out) -> pa.Table:
    files = sorted(out.glob("part-*.parquet")) if out.is_dir() else [out]
    return pa.concat_tables([pq.read_table(file) for file in files]).replace_schema_metadata(None)


def probabilities(table: pa.Table) -> np.ndarray:
    return np.stack([table[name].to_numpy() for name in table.schema.names if name.startswith("prob_")], axis=1)


def test_a_run_labels_each_row_with_its_previous_one(dialogue, model, scorer, tmp_path):
    result = score_dataset([str(dialogue)], tmp_path / "out", model_options=model)
    rows = rows_of_dialogue()
    expected = scorer.score([text for _, text in rows], previous_by_hand(rows)).probabilities
    assert np.array_equal(probabilities(read(tmp_path / "out")), expected, equal_nan=True)
    assert result.run["options"]["context"] == result.run["model"]["context"] == "previous"
    assert result.run["options"]["conversation_column"] == result.run["conversation_column"] == "dialog_id"
    assert read(tmp_path / "out").select(["id", "dialog_id", "text", "other"]).equals(pq.read_table(dialogue))


def test_row_batches_and_parts_do_not_change_a_single_bit(dialogue, model, tmp_path, request):
    score_dataset([str(dialogue)], tmp_path / "whole", model_options=model)
    request.getfixturevalue("small_parts")
    score_dataset([str(dialogue)], tmp_path / "small", model_options=model)
    assert len(list((tmp_path / "small").glob("part-*.parquet"))) == 6
    assert read(tmp_path / "small").equals(read(tmp_path / "whole"))


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("forgetful", [False, True])
def test_a_stopped_run_continues_with_the_right_previous_utterances(dialogue, model, tmp_path, monkeypatch, forgetful):
    if forgetful:
        monkeypatch.setattr(context, "CONVERSATIONS", 5)
        monkeypatch.setattr(context, "_STEP", 64)
    score_dataset([str(dialogue)], tmp_path / "whole", model_options=model)
    rounds = 0
    while True:
        stages = Stages()
        try:
            score_dataset(
                [str(dialogue)],
                tmp_path / "out",
                model_options=model,
                report=lambda progress, stages=stages: progress.rows_done >= 500 and stages.stop(),
                stages=stages,
            )
            break
        except Interrupted:
            rounds += 1
    assert rounds >= 2
    assert read(tmp_path / "out").equals(read(tmp_path / "whole"))


def test_a_limit_and_then_the_others_are_the_same_as_all_at_once(dialogue, model, tmp_path):
    score_dataset([str(dialogue)], tmp_path / "whole", model_options=model)
    assert score_dataset([str(dialogue)], tmp_path / "out", ScoreOptions(limit=1234), model).rows_done == 1234
    assert score_dataset([str(dialogue)], tmp_path / "out", model_options=model).rows_done == ROWS - 1234
    assert read(tmp_path / "out").equals(read(tmp_path / "whole"))


@pytest.mark.usefixtures("small_parts")
def test_csv_and_jsonl_get_the_labels_of_parquet_after_an_interruption_too(dialogue, model, tmp_path):
    rows = [(name, text) for name, text in rows_of_dialogue() if text != "  \u3000\t"]
    table = pa.table({"대화ID": [name for name, _ in rows], "text": [text or "" for _, text in rows]})
    pq.write_table(table, tmp_path / "a.parquet")
    quoted = [(text or "").replace('"', '""') for _, text in rows]
    lines = [f'{"" if name is None else name},"{text}"' for (name, _), text in zip(rows, quoted, strict=True)]
    (tmp_path / "b.csv").write_text("대화ID,text\n" + "\n".join(lines) + "\n")
    objects = [json.dumps(one, ensure_ascii=False) for one in table.to_pylist()]
    (tmp_path / "c.jsonl").write_text("\n".join(objects) + "\n")
    labels = []
    for name in ("a.parquet", "b.csv", "c.jsonl"):
        out = tmp_path / f"{name}.out"
        for limit in (700, None):
            score_dataset([str(tmp_path / name)], out, ScoreOptions(limit=limit), model)
        labels.append(probabilities(read(out)))
    assert np.array_equal(labels[0], labels[1], equal_nan=True)
    assert np.array_equal(labels[0], labels[2], equal_nan=True)


def test_rejected_rows_do_not_shift_previous_utterances(model, scorer, tmp_path):
    file = tmp_path / "log.csv"
    file.write_text("session_id,text\na,하나요\nb,너무,많은,칸\nb,두 번째\na,세 번째\nb,네 번째\n")
    score_dataset([str(file)], tmp_path / "out", model_options=model)
    expected = scorer.score(["하나요", "두 번째", "세 번째", "네 번째"], [None, None, "하나요", "두 번째"])
    assert np.array_equal(probabilities(read(tmp_path / "out")), expected.probabilities)


def test_a_conversation_does_not_reach_from_one_input_into_the_next(model, scorer, tmp_path):
    for name in ("a", "b"):
        pq.write_table(
            pa.table({"conversation_id": [1, 1], "text": ["안녕하세요", "네"]}), tmp_path / f"{name}.parquet"
        )
    score_dataset([str(tmp_path)], tmp_path / "out", model_options=model)
    expected = scorer.score(["안녕하세요", "네"] * 2, [None, "안녕하세요"] * 2).probabilities
    assert np.array_equal(probabilities(read(tmp_path / "out")), expected)


def test_the_folder_of_a_file_may_be_its_conversation(model, scorer, tmp_path):
    (tmp_path / "in" / "session_id=7").mkdir(parents=True)
    pq.write_table(pa.table({"text": ["안녕하세요", "네"]}), tmp_path / "in" / "session_id=7" / "a.parquet")
    score_dataset([str(tmp_path / "in")], tmp_path / "out", model_options=model)
    expected = scorer.score(["안녕하세요", "네"], [None, "안녕하세요"]).probabilities
    assert np.array_equal(probabilities(read(tmp_path / "out")), expected)


def test_one_file_as_output_is_the_same_and_is_not_made_twice(dialogue, model, tmp_path):
    score_dataset([str(dialogue)], tmp_path / "folder", model_options=model)
    file = tmp_path / "labelled.parquet"
    score_dataset([str(dialogue)], file, ScoreOptions(), model)
    assert read(file).equals(read(tmp_path / "folder"))
    assert score_dataset([str(dialogue)], file, ScoreOptions(), model).rows_done == 0
    with pytest.raises(OutputError, match="with conversation column 'dialog_id', but this run has"):
        score_dataset([str(dialogue)], file, ScoreOptions(conversation_column="other"), model)


def test_another_conversation_column_does_not_go_into_the_same_output(dialogue, model, tmp_path):
    score_dataset([str(dialogue)], tmp_path / "out", ScoreOptions(conversation_column="other", limit=1000), model)
    with pytest.raises(
        OutputError, match="--conversation-column 'other', but this run has --conversation-column 'dialog_id'"
    ):
        score_dataset([str(dialogue)], tmp_path / "out", model_options=model)


def test_a_model_without_context_has_no_use_for_conversations(dialogue, tiny_model, tmp_path):
    plain = ModelOptions(model=str(tiny_model), precision="fp32")
    whole = score_dataset([str(dialogue)], tmp_path / "whole", model_options=plain)
    named = score_dataset([str(dialogue)], tmp_path / "named", ScoreOptions(conversation_column="other"), plain)
    assert read(tmp_path / "named").equals(read(tmp_path / "whole"))
    assert (whole.run["conversation_column"], named.run["conversation_column"]) == (None, None)
    assert named.run["options"]["conversation_column"] == "other"
    assert score_dataset([str(dialogue)], tmp_path / "named", model_options=plain).rows_done == 0


@pytest.mark.parametrize(
    ("columns", "given", "said"),
    [
        (
            {"a": [1]},
            None,
            "one of the usual names for conversation IDs; the columns are text, a; .*--conversation-c",
        ),
        ({"a": [1]}, "aa", "has no column 'aa'; its columns are text, a; did you mean --conversation-column a?"),
        (
            {"dialog_id": [1], "Session_ID": ["1"]},
            None,
            r"may hold conversation IDs \(dialog_id, Session_ID\); .*--conversation-column",
        ),
        ({"a": [[1]]}, "a", "has the type list<.*>, which cannot identify conversations"),
        ({"session_id": [[1]]}, None, "one of the usual names for conversation IDs"),
    ],
)
def test_a_missing_conversation_column_is_one_line_and_leaves_no_output(model, tmp_path, columns, given, said):
    pq.write_table(pa.table({"text": ["네"], **columns}), tmp_path / "log.parquet")
    with pytest.raises(ColumnError, match=said) as caught:
        score_dataset([str(tmp_path / "log.parquet")], tmp_path / "out", ScoreOptions(conversation_column=given), model)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_dry_run_names_the_conversation_column_where_the_model_needs_one(dialogue, model, tiny_model):
    assert plan_run([str(dialogue)], None, ScoreOptions(), model)["conversation_column"] == "dialog_id"
    alone = ModelOptions(model=str(tiny_model), precision="fp32")
    assert "conversation_column" not in plan_run([str(dialogue)], None, ScoreOptions(), alone)


def test_a_model_of_pairs_can_be_benchmarked(model):
    assert measure(model, None, None, 200)["rows"] == 200
