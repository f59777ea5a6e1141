"""Writes the option --where of `emojob reply`, as an example that fits the labels of an archive."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.warehouse.sql_text import identifier, literal
from emojob.schemas.labels import meaning_of

_USUAL = "분노"
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_SPECIAL = re.compile(r"[\"$`\\!]")  # in double quotes of a shell


def example(archive: LabelledArchive, negative: Sequence[str] = ()) -> str:
    """Return an example of --where for a shell: a condition on the emotion.

    Args:
        archive: The archive.
        negative: Labels of the archive that are negative. If empty, the names of the labels decide.
    """
    known = negative or meaning_of(archive.labels).negative or archive.labels
    return where_option(archive, _USUAL if _USUAL in known else known[0])


def where_option(archive: LabelledArchive, label: str) -> str:
    """Return the option --where for a shell, with the condition that the emotion is a label."""
    column = f"{archive.prefix}emotion"
    condition = f"{column if _PLAIN_NAME.fullmatch(column) else identifier(column)} = {literal(label)}"
    quoted = shlex.quote(condition) if _SPECIAL.search(condition) else f'"{condition}"'
    return f"--where {quoted}"
