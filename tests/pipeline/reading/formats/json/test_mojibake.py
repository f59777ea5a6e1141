"""The texts of exports of Facebook and Instagram are read as UTF-8; other files stay as they are."""

import json
from pathlib import Path
from typing import Any

import pytest

from emojob.pipeline.reading.dataset import Dataset, open_dataset, read_batches
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.options import ReadOptions

SAID = ["고마워요 😀", "왜 안 와요", "ok", "café"]


def latin_1(text: str) -> str:
    return text.encode().decode("latin-1")


def exported(texts: list[str], **others: Any) -> dict[str, Any]:
    messages = [
        {"sender_name": latin_1("이두리"), "timestamp_ms": 1763600000000 + number, "content": text}
        for number, text in enumerate(texts)
    ]
    return {"participants": [{"name": latin_1("이두리")}], "messages": messages, "thread_path": "inbox/a_1"} | others


def opened(path: Path, value: Any) -> Dataset:
    path.write_text(json.dumps(value, indent=2))
    return open_dataset(find_inputs([str(path)]), ReadOptions())


def rows(dataset: Dataset) -> list[dict[str, Any]]:
    return [row for source in dataset.sources for one in read_batches(dataset, source) for row in one.batch.to_pylist()]


def notes(dataset: Dataset) -> str:
    return "; ".join(dataset.sources[0].notes)


def test_an_export_of_facebook_is_read_with_its_texts_speakers_and_times(tmp_path):
    dataset = opened(tmp_path / "message_1.json", exported([latin_1(text) for text in SAID], title=latin_1("가족")))
    found = rows(dataset)
    assert [row["text"] for row in found] == SAID
    assert {(row["speaker"], row["conversation_id"], row["title"]) for row in found} == {
        ("이두리", "inbox/a_1", "가족")
    }
    assert [row["sent_at"] for row in found] == [1763600000000 + number for number in range(4)]
    assert found[0]["participants"] == [{"name": "이두리"}]
    assert "export of Facebook or Instagram" in notes(dataset)
    assert dataset.sources[0].reading_key == "mojibake"


def test_an_export_may_begin_with_a_photo(tmp_path):
    value = exported([latin_1(text) for text in SAID])
    value["messages"][0] = {"sender_name": latin_1("이두리"), "timestamp_ms": 1, "photos": [{"uri": "a.jpg"}]}
    found = rows(opened(tmp_path / "message_1.json", value))
    assert [(row["turn"], row.get("text")) for row in found] == [(1, None), *enumerate(SAID[1:], 2)]


def test_a_text_that_was_cut_does_not_keep_the_others_from_being_read(tmp_path):
    texts = [latin_1(f"네 {number}") for number in range(200)] + [latin_1("네")[:2]]
    found = [row["text"] for row in rows(opened(tmp_path / "message_1.json", exported(texts)))]
    assert found == [f"네 {number}" for number in range(200)] + [latin_1("네")[:2]]


@pytest.mark.parametrize("texts", [SAID, ["ok", "fine"]])
def test_an_export_whose_texts_are_right_stays_as_it_is(tmp_path, texts):
    value = exported(texts, participants=[])
    for message in value["messages"]:
        message["sender_name"] = "Duri"
    dataset = opened(tmp_path / "message_1.json", value)
    assert [row["text"] for row in rows(dataset)] == texts
    assert notes(dataset) == "one row for each item of messages"
    assert dataset.sources[0].reading_key is None


def test_the_same_characters_in_another_form_of_file_stay(tmp_path):
    value = {"data": [{"id": 1, "text": latin_1("네")}, {"id": 2, "text": "네"}]}
    assert [row["text"] for row in rows(opened(tmp_path / "a.json", value))] == [latin_1("네"), "네"]
