"""Finds the names of people in an export of Slack, and writes texts as Slack shows them."""

from __future__ import annotations

import contextlib
import functools
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats.blocks import read_blocks
from emojob.pipeline.storage.paths import modified_ns
from emojob.schemas.errors import DataError

MOST_BYTES = 64 << 20  # a JSON file of an export is parsed as a whole
_MARKUP = re.compile(r"<([^<>\n]*)>")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))  # in this order: &amp;lt; is &lt;


def read_json(file: InputFile) -> Any:
    """Return the value in a JSON file.

    Raises:
        DataError: The file cannot be read, is no JSON, or has more than MOST_BYTES bytes.
    """
    blocks, size = [], 0
    for block in read_blocks(file):
        blocks.append(block)
        size += len(block)
        if size > MOST_BYTES:
            raise DataError(
                f"{file.name} has more than {MOST_BYTES >> 20} MB, but emojob reads a file of a Slack export as a "
                "whole; split the file into smaller JSON arrays"
            )
    try:
        return json.loads(b"".join(blocks).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{file.name} is no JSON file of Slack ({type(error).__name__}); export the channel again"
        ) from error


def sibling(file: InputFile, name: str) -> InputFile:
    """Return a file at the top of the export to which a file CHANNEL/DAY.json belongs.

    Args:
        file: File of a channel, in a folder or in a ZIP file.
        name: Name of the other file, such as users.json.
    """
    member = getattr(file, "member", None)
    changes: dict[str, Any] = {"path": file.path.parent.parent / name, "stored": None, "compression": None}
    if member is not None:
        changes = {"member": "/".join([*member.split("/")[:-2], name])}
    return replace(file, **changes)


def people(file: InputFile) -> dict[str, str]:
    """Return {user ID: name} for the export to which a file belongs; {} if the export has no users.json.

    If several users have the same name, the ID is added to the name.
    """
    users = sibling(file, "users.json")
    with contextlib.suppress(OSError):
        return _people(users, modified_ns(users.path))
    return {}


@functools.lru_cache(maxsize=4)
def _people(file: InputFile, modified: int) -> dict[str, str]:
    """See `people`. `modified` is the modification time, so that a changed file is read again."""
    try:
        users = read_json(file)
    except DataError:
        return {}
    users = users if isinstance(users, list) else []
    found = {str(user["id"]): name_of(user) for user in users if isinstance(user, dict) and "id" in user}
    counts = Counter(found.values())
    return {key: f"{name} ({key})" if counts[name] > 1 else name for key, name in found.items()}


def name_of(user: Mapping[str, Any]) -> str:
    """Return the name under which Slack shows a user."""
    profile = user.get("profile")
    profile = profile if isinstance(profile, dict) else {}
    names = (profile.get("display_name"), profile.get("real_name"), user.get("display_name"), user.get("real_name"))
    return next((str(name) for name in (*names, user.get("name"), user.get("id")) if name), "")


def speaker_of(message: Mapping[str, Any], names: Mapping[str, str]) -> str | None:
    """Return the name of the person or program that wrote a message; None if it is unknown.

    Args:
        message: The message.
        names: {user ID: name}.
    """
    user = message.get("user")
    if isinstance(user, str) and user:
        own = message.get("user_profile")
        return names.get(user) or (name_of({**own, "id": user}) if isinstance(own, dict) else user)
    bot = message.get("bot_profile")
    found = message.get("username") or (bot.get("name") if isinstance(bot, dict) else None) or message.get("bot_id")
    return str(found) if found else None


def shown_text(text: str, names: Mapping[str, str]) -> str:
    """Return a text as Slack shows it: names in place of IDs, labels in place of links.

    Args:
        text: Text of a message.
        names: {user ID: name}.
    """
    if "<" in text:
        text = _MARKUP.sub(lambda found: _shown(found[1], names), text)
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return text


def _shown(content: str, names: Mapping[str, str]) -> str:
    target, _, label = content.partition("|")
    if target.startswith("@"):
        return f"@{names.get(target[1:]) or label or target[1:]}"
    if target.startswith("#"):
        return f"#{label or target[1:]}"
    if target.startswith("!"):
        if target.startswith("!date^"):
            return label
        return label if label.startswith("@") else f"@{label or target[1:]}"
    return label or target.removeprefix("mailto:")
