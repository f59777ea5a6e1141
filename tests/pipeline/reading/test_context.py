"""The previous utterance is the nearest earlier row with text of the same conversation, however rows are batched."""

from __future__ import annotations

import decimal
import shutil
import uuid
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.reading import context
from emojob.pipeline.reading.context import (
    Conversations,
    conversations_before,
    previous_texts,
    with_conversation_column,
)
from emojob.pipeline.reading.dataset import open_dataset, read_batches
from emojob.pipeline.reading.inputs import find_inputs
from emojob.pipeline.reading.row_batches import Reject, RowBatch
from emojob.schemas.errors import ColumnError
from tests.dialogues import BLANK, previous_by_hand, write_dialogue
from tests.examples import examples


@pytest.fixture
def dialogue(tmp_path) -> Path:
    """A file of interleaved conversations."""
    write_dialogue(tmp_path / "log.parquet")
    return tmp_path / "log.parquet"


# -- which utterance is the previous one ---------------------------------------------------------------------------

_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d", "e", None, "", " "]),
        st.sampled_from(["하나", "둘", "셋", "넷", "다섯 여섯", *BLANK]),
    ),
    max_size=60,
)


def seen(rows, cuts, kind=None) -> list[str | None]:
    """Return the previous utterances that Conversations finds, with row batches of the sizes `cuts`."""
    names = pa.array([name for name, _ in rows], pa.string())
    names = names if kind is None else names.cast(kind)
    batch = pa.record_batch({"text": pa.array([text for _, text in rows], pa.string()), "c": names})
    conversations, found, at = Conversations("text", "c"), [], 0
    for size in [*cuts, len(rows)]:
        within = batch.slice(at, size)
        found += conversations.previous(RowBatch(within, at, within.num_rows, [])).to_pylist()
        at += within.num_rows
    return found


def only_with_text(rows, found):
    """Return the results of the rows with text; the others are never read."""
    return [
        one for (_, text), one in zip(rows, found, strict=True) if text is not None and text.strip(" \u3000\t\u200b")
    ]


@examples(200)
@given(_ROWS, st.lists(st.integers(1, 20), max_size=6))
def test_the_previous_is_the_nearest_earlier_row_with_text_of_the_conversation(rows, cuts):
    expected = previous_by_hand(rows)
    for kind in (None, pa.large_string(), pa.dictionary(pa.int8(), pa.string()), pa.string_view(), pa.binary()):
        if kind == pa.binary():  # bytes are never blank
            rows = [((name and name.strip()) or None, text) for name, text in rows]
        assert only_with_text(rows, seen(rows, cuts, kind)) == only_with_text(rows, expected)


@pytest.mark.parametrize("most", [1, 2, 3, 4])
@pytest.mark.parametrize("step", [1, 2, 7, 16])
def test_which_conversations_are_forgotten_depends_on_the_rows_alone(monkeypatch, most, step):
    monkeypatch.setattr(context, "CONVERSATIONS", most)
    monkeypatch.setattr(context, "_STEP", step)
    chance = np.random.default_rng([most, step])
    for _ in range(20):
        said = [f"{i}번째 말" if chance.random() < 0.9 else None for i in range(80)]
        rows = [("abcdef"[chance.integers(6)], text) for text in said]
        found = seen(rows, chance.integers(1, 30, 4).tolist())
        assert only_with_text(rows, found) == only_with_text(rows, previous_by_hand(rows, most, step))
    assert any(a != b for a, b in zip(previous_by_hand(rows, most, step), previous_by_hand(rows), strict=True))


def test_long_utterances_are_forgotten_before_they_fill_the_memory(monkeypatch):
    monkeypatch.setattr(context, "CHARACTERS", 25)
    monkeypatch.setattr(context, "_STEP", 4)
    rows = [("a", "가" * 10), ("b", "나" * 10), ("c", "다" * 10), ("d", "라"), ("a", "네"), ("b", "네"), ("d", "네")]
    assert seen(rows, []) == [None, None, None, None, None, "나" * 10, "라"]


@pytest.mark.parametrize(
    "values",
    [
        [1, 2, None, 1],
        [1.0, 2.0, float("nan"), 1.0],
        [2**60 + 1, 2**60, None, 2**60 + 1],
        [decimal.Decimal("7"), decimal.Decimal("8"), None, decimal.Decimal("7")],
        pa.array([uuid.UUID(int=i).bytes if i else None for i in (1, 2, 0, 1)], pa.uuid()),
        pa.array([uuid.UUID(int=i).bytes if i else None for i in (1, 2, 0, 1)], pa.binary(16)),
        pa.array([5, 6, None, 5], pa.int16()).dictionary_encode(),
    ],
    ids=str,
)
def test_conversations_may_be_numbers_and_bytes(values):
    column = values if isinstance(values, (pa.Array, pa.ExtensionArray)) else pa.array(values)
    batch = pa.record_batch({"text": ["하나", "둘", "셋", "넷"], "c": column})
    conversations = Conversations("text", "c")
    found = [conversations.previous(RowBatch(batch.slice(i, 1), i, 1, [])).to_pylist() for i in range(4)]
    assert found == [[None], [None], [None], ["하나"]]
    assert Conversations("text", "c").previous(RowBatch(batch, 0, 4, [])).to_pylist() == [None, None, None, "하나"]


def test_rejected_rows_count_as_rows_of_a_step(monkeypatch):
    monkeypatch.setattr(context, "CONVERSATIONS", 1)
    monkeypatch.setattr(context, "_STEP", 3)
    batch = pa.record_batch({"text": ["하나", "둘", "셋"], "c": ["a", "b", "a"]})
    conversations = Conversations("text", "c")
    found = conversations.previous(RowBatch(batch, 0, 4, [Reject(2, "no reason", "")]))
    assert found.to_pylist() == [None, None, None]  # a was forgotten at row 3, with b seen later


def test_a_column_without_any_conversation_gives_no_previous():
    batch = pa.record_batch({"text": ["하나", "둘"], "c": pa.nulls(2)})
    assert Conversations("text", "c").previous(RowBatch(batch, 0, 2, [])).to_pylist() == [None, None]


def test_invalid_utf8_in_utterances_and_conversations_is_accepted():
    raw = pa.array([b"\xff one", b"two", b"\xff one"], pa.binary())
    column = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    batch = pa.record_batch({"text": column, "c": column})
    assert Conversations("text", "c").previous(RowBatch(batch, 0, 3, [])).to_pylist() == [None, None, "\ufffd one"]


def test_only_the_beginning_of_a_very_long_utterance_is_kept():
    batch = pa.record_batch({"text": ["가" * 100_000, "네", "네"], "c": [1, 1, 1]})
    conversations = Conversations("text", "c")
    for i, length in enumerate([None, context.LONGEST, 1]):
        (found,) = conversations.previous(RowBatch(batch.slice(i, 1), i, 1, [])).to_pylist()
        assert (found and len(found)) == length


def test_previous_texts_of_one_conversation():
    assert previous_texts(["하나", " ", "둘", "셋"]) == [None, "하나", "하나", "둘"]
    assert previous_texts(["하나", "\ud83d"], "영") == ["영", "하나"]
    assert previous_texts([]) == []


def test_earlier_rows_are_read_in_two_columns_and_no_further_than_needed(dialogue, monkeypatch):
    dataset = with_conversation_column(open_dataset(find_inputs([str(dialogue)])), "previous", None)
    read_again = []
    previous = Conversations.previous
    monkeypatch.setattr(
        Conversations, "previous", lambda self, row_batch: read_again.append(row_batch) or previous(self, row_batch)
    )
    conversations_before(dataset, dataset.sources[0], 1000, 300)
    assert sum(row_batch.rows_read for row_batch in read_again) == 1000
    assert {name for row_batch in read_again for name in row_batch.batch.schema.names} == {"dialog_id", "text"}
    read_again.clear()
    conversations_before(dataset, dataset.sources[0], 1000, 300, stopping=lambda: True)
    assert len(read_again) == 1


def test_the_text_column_is_refused_as_conversation_column(dialogue):
    dataset = open_dataset(find_inputs([str(dialogue)]))
    with pytest.raises(ColumnError, match="is the text column; give the column that identifies conversations"):
        with_conversation_column(dataset, "previous", dataset.text_column)


def test_row_batches_of_some_columns_have_no_others(dialogue, tmp_path):
    folder = tmp_path / "in" / "day=1"
    folder.mkdir(parents=True)
    shutil.move(dialogue, folder / "log.parquet")
    (folder / "more.csv").write_text("id,dialog_id,text,other\n1,2,네,x\n")
    for name, columns in (("log.parquet", ["text", "dialog_id"]), ("more.csv", ["day", "text"])):
        dataset = open_dataset(find_inputs([str(tmp_path / "in" / "*" / name)]))
        (row_batch, *_) = read_batches(dataset, dataset.sources[0], columns=columns)
        assert sorted(row_batch.batch.schema.names) == sorted({*columns} & {*dataset.schema.names})
        assert row_batch.batch.column("text").equals(
            next(read_batches(dataset, dataset.sources[0])).batch.column("text")
        )


@pytest.mark.parametrize("blank", ["", " ", "\u3000", "\u200b", "\u2060", "\u3164", "\ufeff", "\x00", b"", b"  "])
def test_rows_with_a_blank_id_are_in_no_conversation(blank):
    kind = pa.binary() if isinstance(blank, bytes) else pa.string()
    batch = pa.record_batch({"text": ["하나", "둘"], "c": pa.array([blank, blank], kind)})
    assert Conversations("text", "c").previous(RowBatch(batch, 0, 2, [])).to_pylist() == [None, None]
