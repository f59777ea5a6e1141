"""Chats of WhatsApp: each message is a row; the order of dates is found by evidence in the whole file."""

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.reading.dataset import DEFAULTS, open_dataset, read_batches
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats.chats import whatsapp
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.errors import DataError
from emojob.schemas.options import ReadOptions
from tests.examples import examples
from tests.pipeline.reading.formats.chats.exports import WHATSAPP, Message

MESSAGES: list[Message] = [
    (datetime(2026, 11, 20, 0, 5), "이두리", "오늘 정말 고마웠어요"),
    (datetime(2026, 11, 20, 12, 0), "+82 10-0000-0000", "첫 줄\n\n셋째 줄: 값, 둘\n[x] https://example.org/a"),
    (datetime(2026, 11, 21, 15, 10), "김 [팀장] 😀", ""),
    (datetime(2026, 12, 1, 23, 59), "이두리", "<Media omitted>"),
]


def chat(folder: Path, content: str, name: str = "WhatsApp Chat with 이두리.txt") -> InputFile:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return InputFile(path, "whatsapp", None)


def read(file: InputFile, options: ReadOptions = DEFAULTS) -> tuple[list[dict], tuple[str, ...]]:
    """Return (rows, messages for the user)."""
    dataset = open_dataset([file], options)
    (source,) = dataset.sources
    return [row for one in read_batches(dataset, source) for row in one.batch.to_pylist()], source.notes


def messages_of(rows: list[dict]) -> list[Message]:
    return [(row["sent_at"], row["speaker"], row["text"]) for row in rows]


@pytest.mark.parametrize("form", WHATSAPP)
def test_each_form_gives_the_same_messages(tmp_path, form):
    rows, notes = read(chat(tmp_path, WHATSAPP[form](MESSAGES)))
    assert messages_of(rows) == MESSAGES
    assert [row["turn"] for row in rows] == [1, 2, 3, 4]
    assert {row["conversation_id"] for row in rows} == {"이두리"}
    assert len(notes) == 1


WORDS = st.text(st.sampled_from("가나다 ab[]:,.-\n😀"), max_size=25).map(lambda text: text.strip())
SPEAKERS = st.text(st.sampled_from("가나 ab[],.😀"), min_size=1, max_size=8).map(str.strip).filter(bool)
TIMES = st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1)).map(lambda time: time.replace(second=0, microsecond=0))


@pytest.mark.parametrize("form", WHATSAPP)
@examples(40)
@given(messages=st.lists(st.tuples(TIMES, SPEAKERS, WORDS), max_size=5))
def test_random_messages_come_back(tmp_path_factory, form, messages):
    messages = sorted([*messages, *MESSAGES[2:3]], key=lambda message: message[0])  # one day decides the order of dates
    rows, _ = read(chat(tmp_path_factory.mktemp("chat"), WHATSAPP[form](messages)))
    assert messages_of(rows) == messages


@pytest.mark.parametrize(
    ("lines", "days", "is_said"),
    [
        (["03/04/26, 15:10 - 가: 말", "13/04/26, 15:10 - 가: 말"], ["2026-04-03", "2026-04-13"], False),
        (["04/03/26, 15:10 - 가: 말", "04/13/26, 15:10 - 가: 말"], ["2026-04-03", "2026-04-13"], False),
        (["10/01/26, 15:10 - 가: 말", "05/02/26, 15:10 - 가: 말"], ["2026-01-10", "2026-02-05"], False),  # sorted
        (["1/2/26, 3:10 PM - 가: 말"], ["2026-01-02"], True),
        (["1/2/26, 15:10 - 가: 말"], ["2026-02-01"], True),
        (["26. 1. 2. 오후 3:10 - 가: 말"], ["2026-01-02"], False),
        (["2026/01/02, 15:10 - 가: 말"], ["2026-01-02"], False),
    ],
)
def test_the_order_of_dates_is_found_and_doubt_is_said(tmp_path, lines, days, is_said):
    rows, notes = read(chat(tmp_path, "\n".join(lines)))
    assert [str(row["sent_at"].date()) for row in rows] == days
    assert any("--date-order" in note for note in notes) == is_said


def test_an_option_settles_the_order_of_dates(tmp_path):
    rows, notes = read(chat(tmp_path, "1/2/26, 15:10 - 가: 말"), ReadOptions(date_order="mdy"))
    assert str(rows[0]["sent_at"].date()) == "2026-01-02"
    assert len(notes) == 1


@pytest.mark.parametrize(
    "line",
    [
        "Messages and calls are end-to-end encrypted. Only people in this chat can read, listen to, or share them.",
        "이두리 created group “모임: 금요일”",
        '김하나 changed the group name from "a: b" to "c"',
        "김하나 added 이두리",
        "김하나님이 나갔습니다.",
    ],
)
def test_lines_without_a_speaker_are_no_rows(tmp_path, line):
    content = f"20/11/2026, 15:09 - {line}\n20/11/2026, 15:10 - 이두리: 안녕\n20/11/2026, 15:11 - {line}\n"
    rows, notes = read(chat(tmp_path, content))
    assert [row["text"] for row in rows] == ["안녕"]
    assert "2 lines of the messenger itself" in notes[0]


@pytest.mark.parametrize(
    ("name", "conversation"),
    [
        ("_chat.txt", "모임"),
        ("WhatsApp Chat - 가족.txt", "가족"),
        ("이두리님과의 WhatsApp 대화.txt", "이두리"),
        ("내보내기.txt", "내보내기"),
    ],
)
def test_the_name_of_the_file_is_the_conversation(tmp_path, name, conversation):
    folder = tmp_path / "WhatsApp Chat - 모임"
    folder.mkdir()
    rows, _ = read(chat(folder, "20/11/2026, 15:10 - 이두리: 안녕\n", name))
    assert rows[0]["conversation_id"] == conversation


def test_a_file_without_messages_is_refused(tmp_path):
    with pytest.raises(DataError, match="no message of WhatsApp"):
        whatsapp.inspect(chat(tmp_path, "아무 글\n"), ReadOptions())


def test_lines_that_whatsapp_writes_as_a_person_on_ios_are_no_messages(tmp_path):
    lines = [
        "[20/11/2026, 15:10:11] Team: \u200eMessages and calls are end-to-end encrypted. Only you can read them.",
        "[20/11/2026, 15:10:12] Team: \u200eLee added Kim",
        "[20/11/2026, 15:11:13] Kim: 안녕하세요",
        "[20/11/2026, 15:12:13] Kim: \u200eimage omitted",
        "\u200e[21/11/2026, 15:13:13] Kim: \u200eKim left",
    ]  # fmt: skip
    (tmp_path / "_chat.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    dataset = open_dataset(find_inputs([str(tmp_path / "_chat.txt")]))
    (batch,) = read_batches(dataset, dataset.sources[0])
    assert [text.strip("\u200e") for text in batch.batch.column("text").to_pylist()] == ["안녕하세요", "image omitted"]
