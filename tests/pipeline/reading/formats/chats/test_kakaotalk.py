"""Chats of KakaoTalk: each message is a row, with its speaker, time and whole text."""

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.reading.dataset import open_dataset, read_batches
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats import blocks
from emojob.pipeline.reading.formats.chats import kakaotalk, lines, transcript
from emojob.schemas.errors import DataError
from emojob.schemas.options import ReadOptions
from tests.examples import examples
from tests.pipeline.reading.formats.chats.exports import KAKAOTALK, Message

MESSAGES: list[Message] = [
    (datetime(2026, 11, 20, 0, 5), "이두리", "오늘 정말 고마웠어요"),
    (datetime(2026, 11, 20, 12, 0), "김[팀장]", "첫 줄\n\n셋째 줄: 값, 둘\n[x] 여기까지"),
    (datetime(2026, 11, 21, 15, 10), "박:하나 😀", ""),
    (datetime(2026, 11, 21, 15, 10), "김, 하나", "https://example.org/a : b\n2026년 11월 30일 월요일\n끝"),
    (datetime(2026, 12, 1, 23, 59), "이두리", "사진"),
]


def chat(folder: Path, content: str | bytes, name: str = "KakaoTalk_1.txt") -> InputFile:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return InputFile(path, "kakaotalk", None)


def rows_of(file: InputFile) -> tuple[list[dict], list, tuple[str, ...]]:
    """Return (rows, rejected rows, messages for the user)."""
    dataset = open_dataset([file])
    (source,) = dataset.sources
    assert (dataset.text_column, source.rows) == ("text", sum(one.rows_read for one in read_batches(dataset, source)))
    found = list(read_batches(dataset, source))
    rejects = [reject for one in found for reject in one.rejects]
    return [row for one in found for row in one.batch.to_pylist()], rejects, source.notes


def messages_of(file: InputFile) -> list[Message]:
    return [(row["sent_at"], row["speaker"], row["text"]) for row in rows_of(file)[0]]


@pytest.mark.parametrize("form", KAKAOTALK)
@pytest.mark.parametrize("change", [lambda text: text, lambda text: "\ufeff" + text.replace("\n", "\r\n")])
def test_each_form_gives_the_same_messages(tmp_path, form, change):
    rows, rejects, notes = rows_of(chat(tmp_path, change(KAKAOTALK[form](MESSAGES))))
    assert [(row["sent_at"], row["speaker"], row["text"]) for row in rows] == MESSAGES
    assert [row["turn"] for row in rows] == [1, 2, 3, 4, 5]
    assert {row["conversation_id"] for row in rows} == {"이두리"}
    assert not rejects
    assert "5 messages" in notes[0]
    assert "not read" not in notes[0]


WORDS = st.text(st.sampled_from("가나다 ab[]:,.-\n오후3:10 😀"), max_size=25).map(lambda text: text.strip(" "))
SPEAKERS = (
    st.text(st.sampled_from("가나 ab[]:,.😀"), min_size=1, max_size=8)
    .map(str.strip)
    .filter(lambda name: name and " :" not in f"{name} " and "] [" not in name)
)
TIMES = st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1)).map(lambda time: time.replace(second=0, microsecond=0))


def is_plain(text: str) -> bool:
    """Return whether no line of a text looks like a line of a chat."""
    return all(" " not in line[:3] or not line.startswith("[") for line in text.split("\n")) and text == text.strip(
        "\n"
    )


@pytest.mark.parametrize("form", KAKAOTALK)
@examples(40)
@given(messages=st.lists(st.tuples(TIMES, SPEAKERS, WORDS.filter(is_plain)), min_size=1, max_size=6))
def test_random_messages_come_back(tmp_path_factory, form, messages):
    messages.sort(key=lambda message: message[0])
    assert messages_of(chat(tmp_path_factory.mktemp("chat"), KAKAOTALK[form](messages))) == messages


@pytest.mark.parametrize("form", ["pc", "ios"])
def test_messages_over_several_blocks_come_back(tmp_path, form, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 100)
    many = MESSAGES * 5
    many.sort(key=lambda message: message[0])
    assert messages_of(chat(tmp_path, KAKAOTALK[form](many))) == many


def test_reading_may_begin_at_any_row(tmp_path):
    dataset = open_dataset([chat(tmp_path, KAKAOTALK["pc"](MESSAGES))])
    for start in range(len(MESSAGES) + 1):
        found = [row for one in read_batches(dataset, dataset.sources[0], start, 2) for row in one.batch.to_pylist()]
        assert [row["turn"] for row in found] == list(range(start + 1, len(MESSAGES) + 1))


def test_lines_of_the_messenger_are_no_rows_and_no_text(tmp_path):
    day = "--------------- 2026년 11월 20일 금요일 ---------------\n"
    content = (
        f"우리반 5 님과 카카오톡 대화\n저장한 날짜 : 2026-11-21 13:05:11\n\n{day}"
        "이두리님이 김하나님과 박셋님을 초대했습니다.\n[이두리] [오후 3:10] 안녕\n김하나님이 나갔습니다.\n"
        "채팅방 관리자가 메시지를 가렸습니다.\n[박셋] [오후 3:11] 어제\n부장님이 나갔습니다.\n그래서 남았어요\n"
        "박셋님이 들어왔습니다.\n"
    )
    rows, _, notes = rows_of(chat(tmp_path, content))
    assert [row["text"] for row in rows] == ["안녕", "어제\n부장님이 나갔습니다.\n그래서 남았어요"]
    assert rows[0]["conversation_id"] == "우리반 5"
    assert "4 lines of the messenger itself" in notes[0]


@pytest.mark.parametrize(
    "line",
    [
        "2026년 11월 20일 오후 3:11, 김하나님이 들어왔습니다.",
        "2026년 11월 20일 15:11: 김하나님이 나갔습니다.",
        "2026년 11월 20일 오후 3:11, 무엇인지 모를 알림",
    ],
)
def test_a_line_with_a_time_but_no_speaker_is_no_row(tmp_path, line):
    content = f"2026년 11월 20일 오후 3:10, 이두리 : 안녕\n{line}\n2026년 11월 20일 오후 3:12, 이두리 : 네\n"
    rows, _, notes = rows_of(chat(tmp_path, content))
    assert [row["text"] for row in rows] == ["안녕", "네"]
    assert "1 line of the messenger itself" in notes[0]
    assert rows[0]["conversation_id"] == "KakaoTalk_1"  # there is no first line with the name of the chat


def test_a_message_that_cannot_be_decoded_is_rejected(tmp_path):
    good = "".join(f"[가] [오후 3:10] 말 {i}\n" for i in range(200))
    day = "--------------- 2026년 11월 20일 금요일 ---------------\n"
    bad = b"[\xea\xb0\x80] [\xec\x98\xa4\xed\x9b\x84 3:11] \xff\xfe\n"
    rows, rejects, _ = rows_of(chat(tmp_path, (day + good).encode() + bad + "둘째 줄\n[가] [오후 3:12] 끝".encode()))
    assert (len(rows), rows[-1]["turn"]) == (201, 202)
    assert [(one.position, one.reason) for one in rejects] == [(201, "not valid utf-8")]


@pytest.mark.parametrize("newline", ["", "\n"])
def test_a_message_that_is_too_long_is_rejected(tmp_path, monkeypatch, newline):
    for module in (blocks, transcript):
        monkeypatch.setattr(module, "LONGEST_ROW", 5_000)
    monkeypatch.setattr(blocks, "BLOCK", 1_000)
    long = KAKAOTALK["pc"]([*MESSAGES[:1], (MESSAGES[0][0], "나", f"아주 긴 글{newline}" * 2_000), *MESSAGES[1:]])
    rows, rejects, _ = rows_of(chat(tmp_path, long))
    assert [row["text"] for row in rows] == [text for _, _, text in MESSAGES]
    assert [(one.position, one.reason) for one in rejects] == [(2, lines.TOO_LONG)]


def test_a_day_that_does_not_exist_has_no_time(tmp_path):
    rows, _, notes = rows_of(chat(tmp_path, "2026년 2월 30일 오후 3:10, 이두리 : 안녕\n"))
    assert rows[0]["sent_at"] is None
    assert "1 message without a valid time" in notes[0]


def test_cp949_is_read(tmp_path):
    plain = [(time, speaker.replace("😀", ""), text) for time, speaker, text in MESSAGES]
    plain = [(time, speaker.strip(), text) for time, speaker, text in plain]
    assert messages_of(chat(tmp_path, KAKAOTALK["pc"](plain).encode("cp949"))) == plain


def test_a_file_without_messages_is_refused(tmp_path):
    with pytest.raises(DataError, match="no message of KakaoTalk"):
        kakaotalk.inspect(chat(tmp_path, "아무 글\n"), ReadOptions())


def test_a_date_inside_a_text_begins_no_day_on_android(tmp_path):
    said = [
        (datetime(2026, 11, 20, 15, 10), "이하나", "내일 휴무\n2026년 11월 21일 오전 9:00\n부터 11시까지"),
        (datetime(2026, 11, 20, 15, 13), "나", "알겠어요"),
        (datetime(2026, 11, 22, 9, 0), "나", "안녕하세요"),
    ]
    content = (
        "이하나 님과 카카오톡 대화\n저장한 날짜 : 2026년 11월 23일 오전 9:00\n\n2026년 11월 20일 오후 3:10\n"
        "2026년 11월 20일 오후 3:10, 이하나 : 내일 휴무\n2026년 11월 21일 오전 9:00\n부터 11시까지\n"
        "2026년 11월 20일 오후 3:13, 나 : 알겠어요\n\n"
        "2026년 11월 22일 오전 9:00\n2026년 11월 22일 오전 9:00, 나 : 안녕하세요\n"
    )
    rows, _, (note,) = rows_of(chat(tmp_path, content))
    assert [(row["sent_at"], row["speaker"], row["text"]) for row in rows] == said
    assert "1 line of texts looks like a line with a date" in note
    assert "not read" not in note


DAY = "--------------- 2026년 11월 {} ---------------\n"


@pytest.mark.parametrize(("after", "day", "text"), [
    ("꼭 오세요\n[나] [오후 3:12] 네\n", 20, "알림\n" + DAY.format("25일 수요일") + "꼭 오세요"),
    ("꼭 오세요\n[나] [오전 9:12] 네\n", 25, "알림"),  # the time shows that a day has ended
    ("[나] [오후 3:12] 네\n", 25, "알림"),
    ("새로운 봇이 채팅방을 관리합니다.\n[나] [오후 3:12] 네\n", 25, "알림"),  # an unknown line of the messenger
])  # fmt: skip
def test_a_line_with_a_date_inside_a_text_begins_no_day_on_a_pc(tmp_path, after, day, text):
    begin = "이하나 님과 카카오톡 대화\n저장한 날짜 : 2026-11-26 09:00:00\n\n" + DAY.format("20일 금요일")
    content = f"{begin}[이하나] [오후 3:10] 알림\n{DAY.format('25일 수요일')}{after}"
    first, second = messages_of(chat(tmp_path, content))
    assert first == (datetime(2026, 11, 20, 15, 10), "이하나", text)
    assert second[0].day == day


def test_messages_that_go_back_in_time_are_named(tmp_path):
    content = (
        "2026년 11월 20일 오후 3:10, 이하나 : 어제 이렇게 말했죠\n"
        "2026년 11월 19일 오전 9:00, 박두리 : 곧 갈게요\n라고요\n"
        "2026년 11월 20일 오후 3:11, 박두리 : 네\n"
    )
    _, _, (note,) = rows_of(chat(tmp_path, content))
    assert "1 message is earlier than the message before (perhaps messages that a text quotes)" in note
