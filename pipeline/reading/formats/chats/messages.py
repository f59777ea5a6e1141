"""Defines the columns of the messages of a chat, and the names of chats."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa

from emojob.pipeline.reading.files.input_file import InputFile
from emojob.schemas.messages import counted

#: Columns of a chat. `turn` counts the messages of a conversation from 1. `sent_at` is the local time of the person who
#: exported the chat: the files have no time zone.
SCHEMA = pa.schema(
    [
        pa.field("conversation_id", pa.string()),
        pa.field("turn", pa.int64()),
        pa.field("speaker", pa.string()),
        pa.field("sent_at", pa.timestamp("s")),
        pa.field("text", pa.string()),
    ]
)


_ENDINGS = re.compile(r"\.(?:txt|csv|json|zip)(?:\.(?:gz|zst|bz2|xz))?$", re.IGNORECASE)
# File names of WhatsApp. The app on iOS calls each file _chat.txt, in a folder or an archive with the name of the chat.
_WHATSAPP = re.compile(
    r"^(?:WhatsApp Chat(?: with| -)|WhatsApp 대화 -) ?(?P<name>.+)$|^(?P<before>.+?) ?님과의 WhatsApp 대화$"
)


@dataclass
class Tally:
    """Counts of the lines of a file.

    Attributes:
        messages: Number of messages, rejected messages included.
        system: Number of lines that the messenger wrote itself.
        unread: Number of lines that belong to no message.
        timeless: Number of messages without a time.
        day_like: Number of lines of texts that look like a line that begins a day.
        backwards: Number of messages that are earlier than the message before.
    """

    messages: int = 0
    system: int = 0
    unread: int = 0
    timeless: int = 0
    day_like: int = 0
    backwards: int = 0


def notes_about(title: str, tally: Tally) -> tuple[str, ...]:
    """Return the message for the user about the lines of a chat.

    Args:
        title: Name of the form, such as "KakaoTalk, exported on a PC".
        tally: Counts of the lines.
    """
    parts = [f"chat of {title}: {counted(tally.messages, 'message')}"]
    if tally.system:
        parts.append(
            f"{counted(tally.system, 'line')} of the messenger itself (such as joins) {_are(tally.system)} no rows"
        )
    if tally.unread:
        parts.append(f"{counted(tally.unread, 'other line')} outside of messages {_are(tally.unread)} not read")
    if tally.timeless:
        parts.append(f"{counted(tally.timeless, 'message')} without a valid time")
    if tally.day_like:
        parts.append(f"{counted(tally.day_like, 'line')} of texts {_looks(tally.day_like)} like a line with a date")
    if tally.backwards:
        parts.append(
            f"{counted(tally.backwards, 'message')} {_are(tally.backwards)} earlier than the message before (perhaps "
            "messages that a text quotes)"
        )
    return ("; ".join(parts),)


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _looks(count: int) -> str:
    return "looks" if count == 1 else "look"


def name_from_file(file: InputFile) -> str:
    """Return the name of a chat from the name of its file."""
    parent, name = ["", *file.name.split("/")][-2:]
    stem = _ENDINGS.sub("", name) or name
    if stem == "_chat":
        stem = _ENDINGS.sub("", parent) or stem
    found = _WHATSAPP.match(stem)
    return (found["name"] or found["before"]).strip() if found else stem
