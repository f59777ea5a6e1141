"""The label columns and the counts of their rows."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.inference.scoring_model import Scored
from emojob.pipeline.output.label_columns import count_rows, count_scored, labelled_schema, with_labels
from emojob.schemas.columns import STATUSES, LabelColumns
from emojob.schemas.errors import ColumnError

LABELS = ("일상", "분노", "기쁨")
SCHEMA = pa.schema([("id", pa.int64()), ("text", pa.string())], metadata={b"made by": b"a test"})


def scored(statuses: list[int], seed: int = 0) -> Scored:
    """Return random labels for rows of these statuses (indexes into STATUSES)."""
    chance = np.random.default_rng(seed)
    probabilities = chance.dirichlet([1.0] * len(LABELS), len(statuses)).astype(np.float32)
    emotions = probabilities.argmax(1).astype(np.int32)
    empty = np.array(statuses, np.int32) == STATUSES.index("empty")
    emotions[empty], probabilities[empty] = -1, np.nan
    return Scored(LABELS, emotions, probabilities, np.array(statuses, np.int32))


def test_the_label_columns_follow_the_input_columns():
    schema = labelled_schema(SCHEMA, LabelColumns(LABELS, "ai_"))
    names = ["ai_emotion", "ai_confidence", "ai_prob_일상", "ai_prob_분노", "ai_prob_기쁨", "ai_emotion_status"]
    assert schema.names == ["id", "text", *names]
    assert schema.metadata == SCHEMA.metadata


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("emotion", "column emotion: .*--prefix"),
        ("Emotion", "column Emotion: .*--prefix"),
        ("PROB_분노", "column PROB_분노: .*--prefix"),
        ("File_Row_Number", "DuckDB reserves \\(File_Row_Number\\)"),
    ],
)
def test_an_input_column_with_a_taken_name_is_refused(column, words):
    with pytest.raises(ColumnError, match=words):
        labelled_schema(SCHEMA.append(pa.field(column, pa.string())), LabelColumns(LABELS))


def test_empty_rows_have_null_labels():
    batch = pa.record_batch({"id": [1, 2, 3], "text": ["네", None, "정말"]}, schema=SCHEMA)
    labels = scored([STATUSES.index(status) for status in ("scored", "empty", "truncated")])
    rows = with_labels(batch, labels, labelled_schema(SCHEMA, LabelColumns(LABELS)))
    assert rows.column("emotion").to_pylist() == [LABELS[labels.emotions[0]], None, LABELS[labels.emotions[2]]]
    assert rows.column("emotion_status").to_pylist() == ["scored", "empty", "truncated"]
    for name in ("confidence", "prob_일상", "prob_분노", "prob_기쁨"):
        assert rows.column(name).is_null().to_pylist() == [False, True, False]
    assert rows.select(["id", "text"]).to_pylist() == batch.to_pylist()


@given(st.lists(st.integers(0, len(STATUSES) - 1), max_size=30), st.integers(0, 9))
def test_the_counts_of_the_written_rows_are_those_of_the_labels(statuses, seed):
    labels = scored(statuses, seed)
    batch = pa.record_batch({"id": list(range(len(statuses))), "text": ["가"] * len(statuses)}, schema=SCHEMA)
    table = pa.Table.from_batches([with_labels(batch, labels, labelled_schema(SCHEMA, LabelColumns(LABELS)))])
    counts = count_rows(table, LabelColumns(LABELS))
    assert counts == count_scored(labels, 0)
    assert counts.written == len(statuses)
    assert sum(counts.confidences) == counts.labelled == sum(counts.emotions.values())


def test_rejected_rows_and_tokens_are_counted():
    counts = count_scored(scored([0, 0]), 3, (10, 2))
    assert (counts.read, counts.rejected, counts.tokens, counts.unknown_tokens) == (5, 3, 10, 2)
