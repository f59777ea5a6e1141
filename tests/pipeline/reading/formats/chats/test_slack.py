"""Exports of Slack: each message is a row, with names in place of IDs."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from emojob.pipeline.reading.dataset import open_dataset, read_batches
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats.chats.detection import is_slack_export
from emojob.pipeline.reading.formats.chats.slack_names import shown_text
from emojob.schemas.errors import DataError

USERS = [
    {"id": "U1", "name": "lee", "profile": {"display_name": "이두리", "real_name": "이 두 리"}},
    {"id": "U2", "name": "kim", "profile": {"display_name": "", "real_name": "김하나"}},
    {"id": "U3", "name": "park"},
    {"id": "U4", "name": "park"},
]


def said(text: object, user: str = "U1", ts: str = "1732000000.000100", **more: object) -> dict:
    return {"type": "message", "user": user, "text": text, "ts": ts, **more}


def rows_of(folder: Path, messages: object, users: object = USERS) -> tuple[list[dict], list, tuple[str, ...]]:
    """Return (rows, rejected rows, messages for the user)."""
    (folder / "general").mkdir()
    if users is not None:
        (folder / "users.json").write_text(json.dumps(users), encoding="utf-8")
    path = folder / "general" / "2024-11-19.json"
    path.write_text(json.dumps(messages), encoding="utf-8")
    dataset = open_dataset([InputFile(path, "slack", None)])
    assert dataset.text_column == "text"
    found = list(read_batches(dataset, dataset.sources[0]))
    rejects = [reject for one in found for reject in one.rejects]
    return [row for one in found for row in one.batch.to_pylist()], rejects, dataset.sources[0].notes


def test_messages_become_rows_with_names_and_exact_times(tmp_path):
    messages = [
        said("안녕 <@U2>", reply_count=1, thread_ts="1732000000.000100", reactions=[{"name": "+1"}]),
        said("네", "U2", "1732000001.5", thread_ts="1732000000.000100"),
        said("딴 얘기", "U3", "1732000002.000001", message="다른 글"),
    ]
    rows, rejects, notes = rows_of(tmp_path, messages)
    assert [row["conversation_id"] for row in rows] == [
        "general 1732000000.000100",
        "general 1732000000.000100",
        "general 2024-11-19",
    ]
    assert [(row["turn"], row["speaker"], row["text"]) for row in rows] == [
        (1, "이두리", "안녕 @김하나"),
        (2, "김하나", "네"),
        (1, "park (U3)", "딴 얘기"),  # two users have the name park
    ]
    assert rows[0]["sent_at"] == datetime(2024, 11, 19, 7, 6, 40, 100, tzinfo=UTC)
    assert rows[0]["user"] == "U1"
    assert rows[0]["ts"] == "1732000000.000100"
    assert (rows[0]["reply_count"], json.loads(rows[0]["reactions"])) == ("1", [{"name": "+1"}])
    assert rows[2]["outer_message"] == "다른 글"
    assert (rejects, notes) == ([], ())


def test_messages_of_slack_itself_are_no_rows(tmp_path):
    messages = [
        said("<@U1> has joined the channel", subtype="channel_join"),
        said("This message was deleted.", subtype="tombstone"),
    ]
    rows, _, notes = rows_of(tmp_path, messages)
    assert [row["text"] for row in rows] == ["This message was deleted."]
    assert "1 message of Slack itself" in notes[0]


def test_speakers_without_a_user_have_another_name(tmp_path):
    messages = [
        {
            "type": "message",
            "subtype": "bot_message",
            "bot_id": "B1",
            "username": "알림봇",
            "text": "시작",
            "ts": "1.0",
        },
        said("나", "U9", user_profile={"real_name": "손님"}),
        said("너", "U8"),
        {"type": "message", "ts": "없음"},
    ]
    rows, _, notes = rows_of(tmp_path, messages)
    assert [row["speaker"] for row in rows] == ["알림봇", "손님", "U8", None]
    assert (rows[3]["sent_at"], rows[3]["text"]) == (None, None)
    assert "2 messages of users who are not in users.json" in notes[0]


@pytest.mark.parametrize("users", [None, {"id": "U1"}, "no list", 5])
def test_without_users_the_ids_stay(tmp_path, users):
    rows, _, _ = rows_of(tmp_path, [said("안녕 <@U2>")], users)
    assert (rows[0]["speaker"], rows[0]["text"]) == ("U1", "안녕 @U2")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<@U1> <@U9|손님> <@U9>", "@이두리 @손님 @U9"),
        ("<#C1|general> <#C2>", "#general #C2"),
        ("<!here> <!channel|channel> <!subteam^S1|@팀>", "@here @channel @팀"),
        ("<https://a.example/b|우리 문서> <https://a.example/c>", "우리 문서 https://a.example/c"),
        ("<mailto:a@example.org|a@example.org> <!date^1732000000^{date}|11월 19일>", "a@example.org 11월 19일"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2 &amp;lt;", "1 < 2 && 3 > 2 &lt;"),
        ("a &lt;@U1&gt; b", "a <@U1> b"),
    ],
)
def test_texts_are_written_as_slack_shows_them(text, shown):
    assert shown_text(text, {"U1": "이두리"}) == shown


def test_what_is_no_message_is_rejected(tmp_path):
    rows, rejects, _ = rows_of(tmp_path, [said("하나"), 5, said("\ud83d"), said("둘")])
    assert [row["text"] for row in rows] == ["하나", "둘"]
    assert [(one.position, one.reason) for one in rejects] == [
        (2, "not a JSON object"),
        (3, "not valid Unicode (a lone surrogate)"),
    ]


def test_the_text_is_in_no_other_column(tmp_path):
    blocks = [{"type": "rich_text", "elements": [{"text": "비밀"}]}]
    rows, _, _ = rows_of(tmp_path, [said("비밀", blocks=blocks)])
    assert [name for name, value in rows[0].items() if "비밀" in str(value)] == ["text"]


def test_a_file_that_is_no_list_of_messages_is_refused(tmp_path):
    with pytest.raises(DataError, match="no list of messages"):
        rows_of(tmp_path, {"messages": []})


def test_an_export_is_told_by_the_names_of_its_files():
    assert is_slack_export(["users.json", "channels.json", "general/2026-11-20.json"])
    assert not is_slack_export(["users.json", "channels.json"])
    assert not is_slack_export(["general/2026-11-20.json"])
    assert not is_slack_export(["users.json", "general/messages.json"])
