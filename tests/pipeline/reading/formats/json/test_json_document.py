"""JSON arrays, single objects and several objects are read whatever their size; a damaged one is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.reading.dataset import Dataset, open_dataset, read_batches
from emojob.pipeline.reading.formats import blocks
from emojob.pipeline.reading.formats.json import document
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.errors import ColumnError, DataError
from emojob.schemas.options import ReadOptions
from tests.examples import examples

SAID = ["고마워요", "왜 안 와요", "점심 먹었어요"]


def opened(path: Path, text: str, **options: Any) -> Dataset:
    path.write_text(text, encoding="utf-8")
    return open_dataset(find_inputs([str(path)]), ReadOptions(**options))


def rows(dataset: Dataset) -> list[dict[str, Any]]:
    return [row for source in dataset.sources for one in read_batches(dataset, source) for row in one.batch.to_pylist()]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_an_array_is_read_item_by_item(tmp_path, indent, name):
    items = [{"id": number, "text": text} for number, text in enumerate(SAID)]
    dataset = opened(tmp_path / name, json.dumps(items, ensure_ascii=False, indent=indent))
    assert rows(dataset) == items
    assert dataset.sources[0].rows == 3


def test_an_array_with_an_object_on_each_line_keeps_its_good_lines(tmp_path):
    lines = ["[", '{"text": "가"},', '{"text": "나" "x"},', '{"text": "다"}', "]"]
    dataset = opened(tmp_path / "a.json", "\n".join(lines))
    (batch,) = read_batches(dataset, dataset.sources[0])
    assert batch.batch.column("text").to_pylist() == ["가", "다"]
    assert [(one.position, one.reason.split(" (")[0]) for one in batch.rejects] == [(2, "not JSON")]


def test_an_array_whose_lines_hold_parts_of_objects_is_parsed_as_a_whole(tmp_path):
    text = '[\n{"text": "가"},\n{"text":\n"나"}, {"text": "다"}\n]'
    assert [row["text"] for row in rows(opened(tmp_path / "a.json", text))] == ["가", "나", "다"]


@pytest.mark.parametrize("record", ['{"text":"나","text":"다"}', '{"text":"나","v":[{"b":1,"c":{},"b":2}]}'])
def test_a_record_with_a_repeated_key_is_rejected(tmp_path, record):
    dataset = opened(tmp_path / "a.json", f'[{{"text":"가"}}, {record},\n{{"text":\n"라"}}]')
    (batch,) = read_batches(dataset, dataset.sources[0])
    assert batch.batch.column("text").to_pylist() == ["가", "라"]
    assert [(one.position, one.reason) for one in batch.rejects] == [(2, "JSON in which an object has a key twice")]
    assert [row["text"] for row in rows(opened(tmp_path / "b.json", '[{"text":"가","b":{"a":1.5}}]'))] == ["가"]


@pytest.mark.parametrize("text", [
    '{"id":1,"id":2,"utterances":[{"text":"가"}]}',
    '{"text":"가","text":"나"}',
    '{"meta":{"a":1,"a":1},"utterances":[{"text":"가"}]}',
])  # fmt: skip
def test_a_file_whose_outer_object_has_a_key_twice_is_refused(tmp_path, text):
    with pytest.raises(DataError, match="an object has a key twice"):
        opened(tmp_path / "a.json", text)


def test_a_number_beyond_float64_is_named(tmp_path):
    with pytest.raises(DataError, match="overflow"):
        opened(tmp_path / "a.json", '[{"text":"가","v":1e400},\n{"text":"나"}]')


def test_lines_that_end_in_a_comma_are_lines(tmp_path):
    text = "".join(json.dumps({"text": one, "n": i}, ensure_ascii=False) + ",\n" for i, one in enumerate(SAID))
    assert [row["text"] for row in rows(opened(tmp_path / "a.jsonl", text))] == SAID


def test_several_pretty_objects_are_rows(tmp_path):
    text = "\n".join(json.dumps({"text": one}, ensure_ascii=False, indent=1) for one in SAID)
    assert [row["text"] for row in rows(opened(tmp_path / "a.json", text))] == SAID


def test_an_array_of_texts_is_a_column(tmp_path):
    assert rows(opened(tmp_path / "a.json", json.dumps(SAID))) == [{"text": one} for one in SAID]


def test_the_turns_of_an_object_become_rows_with_the_fields_of_the_object(tmp_path):
    turns = [{"speaker": "가", "text": one, "n": number} for number, one in enumerate(SAID)]
    about = {"info": {"id": "c7", "topic": "배송"}, "utterances": turns, "people": [{"name": "가"}]}
    dataset = opened(tmp_path / "a.json", json.dumps(about, ensure_ascii=False, indent=2))
    found = rows(dataset)
    assert list(found[0]) == ["conversation_id", "turn", "speaker", "text", "n", "info", "people"]
    assert [(row["conversation_id"], row["turn"], row["text"]) for row in found] == [
        ("c7", number, one) for number, one in enumerate(SAID, 1)
    ]
    assert found[2]["info"] == {"id": "c7", "topic": "배송"}
    assert dataset.sources[0].notes == ("one row for each item of utterances",)


def test_a_chat_of_telegram_joins_the_parts_of_a_text(tmp_path):
    messages = [
        {"id": 1, "type": "message", "date": "2026-11-20T10:00:00", "from": "가", "text": "안녕"},
        {"id": 2, "type": "message", "date": "2026-11-20T10:01:00", "from": "나",
         "text": ["여기 ", {"type": "link", "text": "a.kr"}, " 보세요"]},
        {"id": 3, "type": "service", "date": "2026-11-20T10:02:00", "actor": "나", "text": ""},
    ]  # fmt: skip
    chat = {"name": "방", "type": "personal_chat", "id": 99, "messages": messages}
    found = rows(opened(tmp_path / "result.json", json.dumps(chat, ensure_ascii=False, indent=1)))
    assert [row["text"] for row in found] == ["안녕", "여기 a.kr 보세요", ""]
    assert [(row["conversation_id"], row["speaker"], row["turn"]) for row in found[:2]] == [
        (99, "가", 1),
        (99, "나", 2),
    ]
    assert [row["sent_at"] for row in found][1] == "2026-11-20T10:01:00"
    assert (found[0]["type"], found[0]["outer_type"], found[0]["outer_id"]) == ("message", "personal_chat", 99)


def test_conversations_in_a_list_in_an_object_become_rows(tmp_path):
    data = {"version": 1, "data": [
        {"id": f"d{i}", "body": {"dialogue": [{"speaker": "가", "utterance": one} for one in SAID], "lang": "ko"}}
        for i in range(2)
    ]}  # fmt: skip
    found = rows(opened(tmp_path / "a.json", json.dumps(data, ensure_ascii=False, indent=2)))
    assert [(row["conversation_id"], row["turn"], row["text"]) for row in found] == [
        (f"d{i}", number, one) for i in range(2) for number, one in enumerate(SAID, 1)
    ]
    assert found[0]["body"] == {"lang": "ko"}
    assert found[0]["version"] == 1


def test_the_sentences_of_a_dialogue_of_ai_hub_are_turns(tmp_path):
    content = {"HS02": "그래요", "HS01": "속상해요", "SS01": "왜요?", "SS02": "힘내세요", "HS03": "", "SS03": ""}
    talks = [
        {"profile": {"emotion": {"type": "E18"}}, "talk": {"id": {"talk-id": f"t{i}"}, "content": content}}
        for i in (1, 2)
    ]
    found = rows(opened(tmp_path / "a.json", json.dumps(talks, ensure_ascii=False, indent=4)))
    assert [(row["turn"], row["speaker"], row["text"]) for row in found] == [
        (1, "사람", "속상해요"), (2, "시스템", "왜요?"), (3, "사람", "그래요"), (4, "시스템", "힘내세요")
    ] * 2  # fmt: skip
    assert [row["conversation_id"] for row in found] == ["t1"] * 4 + ["t2"] * 4
    assert found[0]["profile"] == {"emotion": {"type": "E18"}}


def test_integers_of_any_length_are_kept(tmp_path):
    items = [{"text": "가", "n": 2**70, "f": 0.5, "m": [1, 2.5]}, {"text": "나", "n": 1, "f": 1.0, "m": []}]
    found = rows(opened(tmp_path / "a.json", json.dumps(items, indent=1)))
    assert [(row["n"], row["f"], row["m"]) for row in found] == [(str(2**70), 0.5, [1.0, 2.5]), ("1", 1.0, [])]
    about = {"n": 2**70, "f": 0.5, "messages": [{"text": "가"}]}
    (row,) = rows(opened(tmp_path / "a.json", json.dumps(about, indent=1)))
    assert (row["n"], row["f"], row["text"]) == (str(2**70), 0.5, "가")


@pytest.mark.parametrize(
    ("about", "texts"),
    [
        ({"item": {"text": "가"}}, ["가"]),
        ({"item": [{"text": "가"}], "text": "나"}, ["나"]),
        ({"a.b": [{"text": "가"}], "text": "나"}, ["나"]),
        ({"x": {"item": {"messages": [{"text": "가"}, {"text": "나"}]}}}, ["가", "나"]),
        ({"x": [[{"text": "가"}]], "text": "나"}, ["나"]),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_keys_that_look_like_paths_do_no_harm(tmp_path, about, texts, indent):
    found = rows(opened(tmp_path / "a.json", json.dumps(about, ensure_ascii=False, indent=indent)))
    assert [row["text"] for row in found] == texts


def test_items_that_are_no_objects_are_rejected_one_by_one(tmp_path):
    dataset = opened(tmp_path / "a.json", '[\n  {\n"text": "가"}, 3, null, {"text": "나"}, {"text": "\\ud800"}]')
    (batch,) = read_batches(dataset, dataset.sources[0])
    assert batch.batch.column("text").to_pylist() == ["가", "나"]
    assert [one.position for one in batch.rejects] == [2, 3, 5]


@pytest.mark.parametrize(
    "text", ['[{"text": "가"}', '[{"text":\n"가"},, {"text": "나"}]', "[1, 2]", "{}", "nonsense {"]
)
def test_a_damaged_file_is_refused_in_one_line(tmp_path, text):
    with pytest.raises((DataError, ColumnError), match=r"a\.json") as refusal:
        opened(tmp_path / "a.json", text)
    assert "\n" not in str(refusal.value)


def test_a_deep_value_does_no_harm(tmp_path):
    text = '[\n{\n"text": "가", "v": ' + "[" * 5000 + "]" * 5000 + "}]"
    with pytest.raises((DataError, ColumnError)):
        opened(tmp_path / "a.json", text)


def test_a_file_in_cp949_and_in_small_blocks_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 7)
    monkeypatch.setattr(document, "_BATCH_RECORDS", 2)
    (tmp_path / "a.json").write_bytes(json.dumps([{"text": one} for one in SAID], ensure_ascii=False).encode("cp949"))
    dataset = open_dataset(find_inputs([str(tmp_path / "a.json")]))
    assert [row["text"] for row in rows(dataset)] == SAID
    assert [one.batch.num_rows for one in read_batches(dataset, dataset.sources[0], start_row=1, rows=1)] == [1, 1]


@pytest.mark.parametrize("block", [1, 3, 1000])
def test_surrogates_are_read_in_pairs_and_rejected_alone(tmp_path, monkeypatch, block):
    monkeypatch.setattr(blocks, "BLOCK", block)
    texts = [r"\ud83d\ude00", r"\\ud83d", r"\\\ud83d", r"\uDE00", r"\ud83d\ud83d\ude00", r"a\\", r"\ub098"]
    text = "[\n" + ",\n\n".join('{\n"text": "' + one + '"}' for one in texts) + "]"
    dataset = opened(tmp_path / "a.json", text)
    (batch,) = read_batches(dataset, dataset.sources[0])
    assert batch.batch.column("text").to_pylist() == ["😀", r"\ud83d", "a\\", "나"]
    assert [one.position for one in batch.rejects] == [3, 4, 5]


def test_a_single_object_without_a_text_is_passed_over_beside_others(tmp_path):
    (tmp_path / "dataset_infos.json").write_text('{"default": {"features": {"text": {"dtype": "string"}}}}')
    (tmp_path / "a.csv").write_text("text\n가\n", encoding="utf-8")
    dataset = open_dataset(find_inputs([str(tmp_path)]))
    assert [source.file.path.name for source in dataset.sources] == ["a.csv"]
    assert [one.name for one in dataset.passed_over] == ["dataset_infos.json"]
    with pytest.raises(ColumnError):
        open_dataset(find_inputs([str(tmp_path / "dataset_infos.json")]))


texts = st.text(st.characters(codec="utf-8"), max_size=4)
values = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), texts, st.lists(texts, max_size=2))


@examples(60)
@given(st.lists(st.fixed_dictionaries({"text": texts}, optional={"v": values}), min_size=1), st.sampled_from([None, 1]))
def test_an_array_gives_the_rows_of_the_same_lines(tmp_path_factory, items, indent):
    folder = tmp_path_factory.mktemp("json")
    array = opened(folder / "a.json", json.dumps(items, ensure_ascii=False, indent=indent))
    lines = opened(folder / "b.jsonl", "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in items))
    assert rows(array) == rows(lines)
    assert array.schema.equals(lines.schema)


def test_a_mixed_field_becomes_json_text_and_the_text_stays(tmp_path):
    lines = [{"id": 1, "message": {"text": "네", "ts": 1}}, {"id": 2, "message": {"text": "고", "ts": "x"}}]
    dataset = opened(tmp_path / "a.jsonl", "\n".join(json.dumps(one) for one in lines))
    assert [(row["text"], row["message"]["ts"]) for row in rows(dataset)] == [("네", "1"), ("고", "x")]
    talk = {"messages": [{"text": "네", "n": 1}, {"text": "고", "n": {"a": 1}}]}
    found = rows(opened(tmp_path / "b.json", json.dumps([talk, talk])))
    assert [(row["text"], row["n"]) for row in found] == [("네", "1"), ("고", '{"a": 1}')] * 2


@pytest.mark.parametrize("indent", [None, 1])
def test_objects_in_a_column_of_texts_are_rejected_one_by_one(tmp_path, indent):
    items = [{"content": "문자"}, {"content": {"text": "네"}}, {"content": None}, {"content": "고"}]
    dataset = opened(tmp_path / "a.json", json.dumps(items, ensure_ascii=False, indent=indent))
    (batch,) = read_batches(dataset, dataset.sources[0])
    assert batch.batch.column("content").to_pylist() == ["문자", None, "고"]
    assert [(one.position, one.reason) for one in batch.rejects] == [(2, "the text is an object or a list")]


@pytest.mark.parametrize("indent", [None, 2])
def test_lists_in_lists_and_lists_of_other_names_are_read(tmp_path, indent):
    turns = [{"participantID": "P1", "date": "2026-11-20", "time": "15:10:00", "utterance": "안녕"}]
    corpus = {"version": "1", "data": [{"header": {"dialogueID": "d1"}, "body": {"dialogue": turns}}]}
    (row,) = rows(opened(tmp_path / "a.json", json.dumps(corpus, ensure_ascii=False, indent=indent)))
    assert [row[name] for name in ("conversation_id", "turn", "speaker", "text")] == ["d1", 1, "P1", "안녕"]
    assert (row["date"], row["time"], "sent_at" in row) == ("2026-11-20", "15:10:00", False)
    written = {
        "id": "x",
        "document": [{"id": "s1", "utterance": [{"id": "u1", "form": "네"}, {"id": "u2", "form": "고"}]}],
    }
    found = rows(opened(tmp_path / "b.json", json.dumps(written, ensure_ascii=False, indent=indent)))
    assert [(row["conversation_id"], row["text"]) for row in found] == [("s1", "네"), ("s1", "고")]
    plain = {"data": [{"id": 1, "text": "네"}, {"id": 2, "text": "고"}], "total": 2}
    assert rows(opened(tmp_path / "c.json", json.dumps(plain, ensure_ascii=False, indent=indent))) == [
        {"id": 1, "text": "네", "total": 2}, {"id": 2, "text": "고", "total": 2}
    ]  # fmt: skip
    texts = {"id": 7, "dialog": ["네", "고"]}
    found = rows(opened(tmp_path / "d.json", json.dumps([texts], ensure_ascii=False, indent=indent)))
    assert [(row["conversation_id"], row["text"]) for row in found] == [(7, "네"), (7, "고")]


def test_all_chats_of_a_full_export_are_read(tmp_path):
    def chat(number):
        return {"id": number, "messages": [{"id": 1, "from": "가", "text": f"글 {number}"}]}

    about = {"about": "x", "chats": {"list": [chat(1), chat(2)]}, "left_chats": {"list": [chat(3)]}}
    found = rows(opened(tmp_path / "result.json", json.dumps(about, ensure_ascii=False, indent=1)))
    assert [(row["conversation_id"], row["text"]) for row in found] == [(1, "글 1"), (2, "글 2"), (3, "글 3")]
    assert "left_chats" not in found[0]


def test_a_channel_and_the_name_of_an_author_are_found(tmp_path):
    said = {"id": "1", "timestamp": "2026-11-20T10:00:00", "content": "네", "author": {"id": "7", "name": "hana"}}
    chat = {"guild": {"id": "G"}, "channel": {"id": "C"}, "messages": [said]}
    (row,) = rows(opened(tmp_path / "a.json", json.dumps(chat, ensure_ascii=False, indent=1)))
    assert [row[name] for name in ("conversation_id", "speaker", "sent_at", "text")] == [
        "C",
        "hana",
        "2026-11-20T10:00:00",
        "네",
    ]
    assert row["author"] == {"id": "7", "name": "hana"}


def test_the_path_of_a_text_in_a_list_names_the_turns(tmp_path):
    talk = {"id": 1, "conversations": [{"from": "human", "value": "네", "note": "x"}]}
    (row,) = rows(opened(tmp_path / "a.json", json.dumps([talk]), text_column="conversations.note"))
    assert (row["text"], row["value"]) == ("x", "네")
