"""Reads the messages of a Slack export: a folder or ZIP file with one JSON file for each channel and day."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats.blocks import Digest, content_of, read_blocks
from emojob.pipeline.reading.formats.chats.messages import SCHEMA
from emojob.pipeline.reading.formats.chats.slack_names import people, read_json, shown_text, speaker_of
from emojob.pipeline.reading.row_batches import Reject, RowBatch
from emojob.pipeline.reading.source import FileInfo, Source
from emojob.schemas.columns import READ_CHARACTERS, USUAL_TEXT_COLUMNS, WEAK_TEXT_COLUMNS, folded, of_usual_name
from emojob.schemas.errors import DataError
from emojob.schemas.messages import counted
from emojob.schemas.options import ReadOptions
from emojob.schemas.placeholders import system_kinds

#: Columns of a Slack export, before the other fields of the messages. The times have a time zone.
COLUMNS = SCHEMA.set(SCHEMA.get_field_index("sent_at"), pa.field("sent_at", pa.timestamp("us", "UTC")))
# The text again, or the name again. With --mask-pii or --drop-text, they would still show the text.
_LEFT_OUT = {"text", "blocks", "user_profile", "bot_profile"}
_BATCH = 4_096  # messages in a row batch


@dataclass
class _Messages:
    """The messages of a file.

    Attributes:
        rows: The messages, without messages that Slack writes itself; values that are no messages are rejected.
        system: Number of messages that Slack writes itself.
        nameless: Number of messages whose user is not in users.json.
        names: {user ID: name}.
    """

    rows: list[Any] = field(default_factory=list)
    system: int = 0
    nameless: int = 0
    names: Mapping[str, str] = field(default_factory=dict)


def inspect(file: InputFile, options: ReadOptions, count_rows: bool = False) -> FileInfo:
    """Return the hash, columns and number of messages of a file CHANNEL/DAY.json.

    Raises:
        DataError: The file is damaged, or is no list of messages.
    """
    digest = Digest()
    for _ in read_blocks(file, digest):
        pass
    content, found = content_of(file, digest), _messages(file)
    others = dict.fromkeys(key for row in found.rows if isinstance(row, dict) for key in row)
    taken = {folded(name) for name in COLUMNS.names}
    names = [name for name in (_column(key) for key in others if key not in _LEFT_OUT) if folded(name) not in taken]
    schema = pa.schema([*COLUMNS, *(pa.field(name, pa.string()) for name in names)])
    return FileInfo(
        Source(file, content.size, content.sha256, schema, "utf-8", len(found.rows), notes=tuple(_notes(found)))
    )


def read(
    source: Source, start_row: int = 0, rows: int | None = None, columns: Sequence[str] | None = None
) -> Iterator[RowBatch]:
    """Yield the messages of a file, from the first one."""
    found = _messages(source.file)
    schema = source.own_schema
    turns = Counter[str]()
    channel, day = _place(source.file)
    for first in range(0, len(found.rows), _BATCH):
        good, rejects = [], []
        for number, message in enumerate(found.rows[first : first + _BATCH], first + 1):
            reason = _fault(message)
            if reason:
                rejects.append(Reject(number, reason, json.dumps(message)[:READ_CHARACTERS]))
                continue
            good.append(_row(message, f"{channel} {message.get('thread_ts') or day}", turns, found.names))
        read_rows = min(_BATCH, len(found.rows) - first)
        yield RowBatch(pa.RecordBatch.from_pylist(good, schema=schema), first, read_rows, rejects)


def _messages(file: InputFile) -> _Messages:
    found = read_json(file)
    if not isinstance(found, list):
        raise DataError(
            f"{file.name} is no list of messages of Slack, but {type(found).__name__}; give the folder of the export, "
            "or --format json"
        )
    kinds, names = system_kinds("slack"), people(file)
    rows = [one for one in found if not (isinstance(one, dict) and str(one.get("subtype")) in kinds)]
    users = [one.get("user") for one in rows if isinstance(one, dict)]
    nameless = sum(isinstance(user, str) and user not in names for user in users)
    return _Messages(rows, len(found) - len(rows), nameless, names)


def _notes(found: _Messages) -> list[str]:
    notes = []
    if found.system:
        verb = "is" if found.system == 1 else "are"
        notes.append(f"{counted(found.system, 'message')} of Slack itself (such as joins) {verb} no rows")
    if found.nameless:
        notes.append(f"{counted(found.nameless, 'message')} of users who are not in users.json")
    return notes


def _place(file: InputFile) -> tuple[str, str]:
    """Return (channel, day) from the name of a file."""
    member = getattr(file, "member", None)
    folders = member.split("/") if member else [file.path.parent.name, file.path.name]
    channel = folders[-2] if len(folders) > 1 else ""
    return channel, folders[-1].partition(".")[0]


def _column(key: str) -> str:
    """Return the name of the column for a field of a message."""
    is_text = of_usual_name([key], USUAL_TEXT_COLUMNS) and not of_usual_name([key], WEAK_TEXT_COLUMNS)
    is_taken = is_text or folded(key) in {folded(name) for name in COLUMNS.names}
    return f"outer_{key}" if is_taken else key


def _fault(message: Any) -> str | None:
    """Return why a message cannot be read; None if it can be read."""
    if not isinstance(message, dict):
        return "not a JSON object"
    try:
        json.dumps(message, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "not valid Unicode (a lone surrogate)"
    return None


def _row(message: dict[str, Any], conversation: str, turns: Counter[str], names: Mapping[str, str]) -> dict[str, Any]:
    turns[conversation] += 1
    text = message.get("text")
    row = {_column(key): _plain(value) for key, value in message.items() if key not in _LEFT_OUT}
    return row | {
        "conversation_id": conversation,
        "turn": turns[conversation],
        "speaker": speaker_of(message, names),
        "sent_at": _time(message.get("ts")),
        "text": shown_text(text, names) if isinstance(text, str) else None,
    }


def _plain(value: Any) -> str | None:
    """Return a value as text. Values other than texts become JSON."""
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _time(stamp: Any) -> int | None:
    """Return the microseconds since 1970 of a timestamp such as 1732000000.000100; None if it is malformed."""
    seconds, _, fraction = str(stamp).partition(".")
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 11 and (not fraction or fraction.isdigit())):
        return None
    return int(seconds) * 1_000_000 + int(f"{fraction:0<6}"[:6])
