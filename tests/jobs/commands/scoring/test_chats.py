"""`emojob score` labels the messages of chats, with their conversations, speakers and times."""

import json

import pyarrow.parquet as pq
import pytest

from tests.command_line import one_line
from tests.pipeline.reading.formats.chats.exports import KAKAOTALK, WHATSAPP
from tests.pipeline.reading.formats.chats.test_kakaotalk import MESSAGES

PLAIN = [message for message in MESSAGES if message[2]]


def roles_of(emojob, out) -> tuple[int, ...]:
    """Return (number of conversations, speakers, days) that the views of an archive show."""
    query = (
        "SELECT count(DISTINCT conversation_id), count(DISTINCT speaker), count(DISTINCT said_at::DATE) FROM labelled"
    )
    code, text, _ = emojob("sql", out, query, "--format", "json")
    assert code == 0
    return tuple(json.loads(text)[0].values())


@pytest.mark.parametrize(
    ("messenger", "form"),
    [("kakaotalk", "pc"), ("kakaotalk", "ios"), ("whatsapp", "android"), ("whatsapp", "ios korean")],
)
def test_a_chat_is_labelled(emojob, tmp_path, messenger, form):
    path = tmp_path / "chat.txt"
    path.write_text({"kakaotalk": KAKAOTALK, "whatsapp": WHATSAPP}[messenger][form](PLAIN), encoding="utf-8")
    code, out, err = emojob("score", path)
    assert code == 0, err
    assert "4 read = 3 labelled + 1 empty + 0 rejected" in out  # 사진 is a placeholder
    rows = pq.read_table(tmp_path / "chat.emotions")
    assert rows.column_names[:5] == ["conversation_id", "turn", "speaker", "sent_at", "text"]
    assert rows.column("text").to_pylist() == [text for _, _, text in PLAIN]
    assert roles_of(emojob, tmp_path / "chat.emotions") == (1, 3, 3)


def test_a_day_of_a_slack_export_is_labelled(emojob, tmp_path):
    (tmp_path / "general").mkdir()
    (tmp_path / "users.json").write_text('[{"id": "U1", "name": "이두리"}]', encoding="utf-8")
    path = tmp_path / "general" / "2024-11-19.json"
    message = {"type": "message", "user": "U1", "text": "고마워요 &gt;_&lt;", "ts": "1732000000.000100"}
    path.write_text(json.dumps([message, {**message, "subtype": "channel_join"}]), encoding="utf-8")
    code, out, err = emojob("score", path, "--format", "slack", "-o", tmp_path / "out")
    assert code == 0, err
    assert "1 read = 1 labelled" in out
    (row,) = pq.read_table(tmp_path / "out").to_pylist()
    assert (row["conversation_id"], row["speaker"], row["text"]) == ("general 2024-11-19", "이두리", "고마워요 >_<")


@pytest.mark.parametrize(
    "content",
    [
        'Date,User,Message\n2026-11-20 13:00:11,"이두리","오늘 정말\n고마웠어요"\n'
        '2026-11-21 13:01:11,"김하나","네, 네"\n',
        "AuthorID,Author,Date,Content,Attachments,Reactions\n"
        '"1","이두리","2026-11-20T13:00:11.1230000+09:00","오늘 정말\n고마웠어요","",""\n'
        '"2","김하나","2026-11-21T13:01:11.1230000+09:00","네, 네","",""\n',
    ],
    ids=["kakaotalk", "discord"],
)
def test_a_csv_file_of_a_messenger_keeps_its_columns(emojob, tmp_path, content):
    path = tmp_path / "chat.csv"
    path.write_text(content, encoding="utf-8-sig")
    code, _, err = emojob("score", path)
    assert code == 0, err
    rows = pq.read_table(tmp_path / "chat.emotions")
    header = content.split("\n")[0].split(",")
    assert rows.column_names[: len(header)] == header
    query = "SELECT speaker, said_at::DATE::VARCHAR AS day FROM labelled"
    found = json.loads(emojob("sql", tmp_path / "chat.emotions", query, "--format", "json")[1])
    assert [tuple(row.values()) for row in found] == [("이두리", "2026-11-20"), ("김하나", "2026-11-21")]


def test_a_file_that_is_no_chat_is_refused(emojob, log):
    code, _, err = emojob("score", log, "--format", "kakaotalk")
    assert code == 2
    assert "no message of KakaoTalk" in one_line(err)


def test_two_chats_of_one_name_are_named(emojob, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name, day in (("a.txt", 20), ("b.txt", 21)):
        text = f"이하나 님과 카카오톡 대화\n\n2026년 11월 {day}일 오후 3:10, 이하나 : 네\n"
        (folder / name).write_text(text, encoding="utf-8")
    _, _, err = emojob("score", folder, "-o", tmp_path / "out")
    assert "a.txt, b.txt: chats with the same name, so their messages are one conversation" in err
    (folder / "b.txt").write_bytes((folder / "a.txt").read_bytes())
    assert "chats with the same name" not in emojob("score", folder, "-o", tmp_path / "other")[2]
