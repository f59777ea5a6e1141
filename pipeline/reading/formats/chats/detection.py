"""Tells from the first lines of a text file which messenger wrote the file."""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import cast

from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats.blocks import read_blocks
from emojob.pipeline.reading.formats.chats.forms import FORMS, chat_name, is_header

#: Values of --format for chats.
MESSENGERS = ("kakaotalk", "whatsapp", "slack")

#: Files of a Slack export that list people and channels.
SLACK_LISTS = ("users.json", "channels.json", "groups.json", "dms.json", "mpims.json")

_MOST_LINES = 2_000  # maximum number of lines that are compared


def detect(head: str, name: str = "") -> str | None:
    """Return the messenger that exported a chat as text: kakaotalk or whatsapp; None for another file.

    A file is a chat if a line is a message, and either the file has the first lines of an export, or the first line
    that is not blank has the form of a line of a chat.

    Args:
        head: First characters of the file, decoded.
        name: Name of the file. A CSV file is no text of a chat: it keeps its own columns.
    """
    if re.search(r"\.(csv|tsv)(\.\w+)?$", name, re.IGNORECASE):
        return None
    lines = [line.strip("\ufeff\r") for line in head.split("\n")[:_MOST_LINES]]
    lines = [line for line in lines if line.strip()]
    if not lines:
        return None
    has_header = chat_name(lines[0]) is not None and any(is_header(line) for line in lines[1:2])
    first = next((line for line in lines if not is_header(line)), "")
    for form in FORMS.values():
        patterns = [re.compile(pattern) for pattern in (form.message, form.dated, form.day) if pattern]
        begins = has_header or any(pattern.match(first) for pattern in patterns)
        if begins and any(patterns[0].match(line) for line in lines):
            return form.messenger
    return "kakaotalk" if has_header else None


def with_chat_format(file: InputFile, form: str = "auto") -> InputFile:
    """Return a file with the format kakaotalk, whatsapp or slack if it is a chat; otherwise return it unchanged.

    Args:
        file: The file. Its content decides only if its format is txt.
        form: Value of --format. A messenger decides.

    Raises:
        DataError: The file cannot be read or decompressed.
    """
    if form in MESSENGERS:
        return replace(file, format=form)
    if form != "auto" or file.format != "txt":
        return file
    found = detect(_head(file), file.path.name)
    return replace(file, format=found) if found else file


def _head(file: InputFile) -> str:
    """Return the beginning of a file. The first encoding that fits decodes it; only the last character may be cut."""
    with contextlib.closing(cast(Generator[bytes], read_blocks(file))) as blocks:
        head = next(blocks, b"")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head[: len(head) // 2 * 2].decode("utf-16", "replace")
    try:
        return codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        korean = head.decode("cp949", "replace")
        utf_8 = head.decode("utf-8-sig", "replace")
        return min(korean, utf_8, key=lambda text: text.count("\ufffd"))


def is_slack_export(names: Sequence[str]) -> bool:
    """Return whether a folder is an export of Slack.

    Args:
        names: Paths of the files in the folder, relative to the folder, such as general/2026-11-20.json.
    """
    given = set(names)
    days = [name for name in given if re.fullmatch(r"[^/]+/\d{4}-\d{2}-\d{2}\.json", name)]
    return bool(days) and bool(given.intersection(SLACK_LISTS))
