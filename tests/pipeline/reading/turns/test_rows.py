"""The turns of a conversation, which are items of a list, become rows; nothing of the conversation is lost."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.reading.dataset import open_dataset, read_batches
from emojob.pipeline.reading.inputs import find_inputs
from emojob.pipeline.reading.turns import rows as turns_rows
from emojob.schemas.errors import ColumnError
from emojob.schemas.options import ReadOptions
from tests.examples import examples

TURNS = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def opened(path, table, **options):
    pq.write_table(table, path, row_group_size=2)
    return open_dataset(find_inputs([str(path)]), ReadOptions(**options))


def rows(dataset, **given):
    return [
        row
        for source in dataset.sources
        for one in read_batches(dataset, source, **given)
        for row in one.batch.to_pylist()
    ]


def test_each_turn_is_a_row_with_the_columns_of_its_conversation(tmp_path):
    talks = [[("user", "가"), ("assistant", "나")], None, [], [("user", None)]]
    messages = pa.array(
        [t and [{"role": a, "content": b} for a, b in t] if t is not None else None for t in talks], TURNS
    )
    table = pa.table({"id": ["a", "b", "c", "d"], "messages": messages, "turn": [7, 8, 9, 10]})
    dataset = opened(tmp_path / "a.parquet", table)
    assert dataset.text_column == "text"
    assert [tuple(row.values()) for row in rows(dataset)] == [
        ("a", 1, "user", "가", "a", 7),
        ("a", 2, "assistant", "나", "a", 7),
        ("b", None, None, None, "b", 8),
        ("c", None, None, None, "c", 9),
        ("d", 1, "user", None, "d", 10),
    ]
    assert dataset.schema.names == ["conversation_id", "turn", "speaker", "text", "id", "outer_turn"]


@pytest.mark.parametrize(
    "kind", [TURNS, pa.large_list(TURNS.value_type), pa.list_(TURNS.value_type, 2), pa.list_view(TURNS.value_type)]
)
def test_every_kind_of_list_is_read(tmp_path, kind):
    messages = pa.array([[{"role": "user", "content": "가"}, {"role": "bot", "content": "나"}]] * 3, kind)
    pa.ipc.RecordBatchFileWriter(tmp_path / "a.arrow", pa.schema([("messages", kind)])).close()
    table = pa.table({"messages": messages})
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    dataset = open_dataset(find_inputs([str(tmp_path / "a.arrow")]))
    assert [row["text"] for row in rows(dataset)] == ["가", "나"] * 3
    assert [row["conversation_id"] for row in rows(dataset)][::2] == [f"a.arrow:{number}" for number in (1, 2, 3)]


def test_a_nested_list_and_a_given_column_are_read(tmp_path):
    body = {"dialogue": [{"speaker": "가", "utterance": "안녕", "at": 1}], "lang": "ko"}
    table = pa.table({"header": [{"dialogue_id": "d1"}], "body": [body], "tags": [["하나", "둘"]]})
    (row,) = rows(opened(tmp_path / "a.parquet", table))
    assert row == {
        "conversation_id": "d1", "turn": 1, "speaker": "가", "text": "안녕", "at": 1, "header": {"dialogue_id": "d1"},
        "body": {"lang": "ko"}, "tags": ["하나", "둘"],
    }  # fmt: skip
    given = opened(tmp_path / "a.parquet", table, explode="tags")
    assert [row["text"] for row in rows(given)] == ["하나", "둘"]


def test_several_lists_and_a_wrong_name_are_refused_with_the_names(tmp_path):
    talk = [[{"role": "user", "content": "가"}]]
    table = pa.table({"messages": talk, "conversations": talk, "n": [1]})
    with pytest.raises(ColumnError, match=r"\(messages, conversations\); choose the column with --explode NAME"):
        opened(tmp_path / "a.parquet", table)
    with pytest.raises(ColumnError, match="--explode 'n' is int64, not a list"):
        opened(tmp_path / "a.parquet", table, explode="n")
    with pytest.raises(ColumnError, match="--explode 'x' does not exist; lists with texts: messages, conversations"):
        opened(tmp_path / "a.parquet", table, explode="x")
    assert [row["text"] for row in rows(opened(tmp_path / "a.parquet", table, explode="messages"))] == ["가"]


def test_a_text_column_comes_before_turns(tmp_path):
    table = pa.table({"text": ["가"], "messages": [[{"role": "user", "content": "나"}]]})
    assert opened(tmp_path / "a.parquet", table).text_column == "text"
    assert [row["text"] for row in rows(opened(tmp_path / "a.parquet", table))] == ["가"]


def test_json_lines_of_shares_are_read_and_bad_lines_rejected(tmp_path):
    talk = [{"from": "human", "value": "가"}, {"from": "gpt", "value": "나"}]
    lines = [json.dumps({"id": f"c{i}", "conversations": talk}, ensure_ascii=False) for i in range(3)]
    (tmp_path / "a.jsonl").write_text("\n".join([lines[0], "{broken", *lines[1:]]), encoding="utf-8")
    dataset = open_dataset(find_inputs([str(tmp_path / "a.jsonl")]))
    batches = list(read_batches(dataset, dataset.sources[0]))
    found = [row for one in batches for row in one.batch.to_pylist()]
    assert [(row["conversation_id"], row["turn"], row["speaker"], row["text"]) for row in found] == [
        (f"c{i}", *turn) for i in range(3) for turn in ((1, "human", "가"), (2, "gpt", "나"))
    ]
    assert sum(one.rows_read for one in batches) == 7
    assert len([one for batch in batches for one in batch.rejects]) == 1


turns = st.tuples(st.sampled_from("가나"), st.one_of(st.none(), st.text("ab", max_size=2)))
conversations = st.lists(st.one_of(st.none(), st.lists(turns, max_size=4)), min_size=1, max_size=8)


@examples(60)
@given(conversations, st.integers(1, 4), st.integers(0, 30), st.integers(1, 5))
def test_every_turn_is_a_row_in_order_and_reading_may_begin_at_any_row(tmp_path_factory, talks, most, start, size):
    folder = tmp_path_factory.mktemp("turns")
    messages = pa.array([t if t is None else [{"role": a, "content": b} for a, b in t] for t in talks], TURNS)
    table = pa.table({"n": range(len(talks)), "messages": messages})
    dataset = opened(folder / "a.parquet", table)
    before = turns_rows._TURNS
    turns_rows._TURNS = most
    try:
        found = rows(dataset)
        later = rows(dataset, start_row=start, rows=size)
    finally:
        turns_rows._TURNS = before
    expected = [(n, *turn) for n, talk in enumerate(talks) for turn in talk or [(None, None)]]
    assert [(row["n"], row["speaker"], row["text"]) for row in found] == expected
    assert later == found[start:]
