"""Describes the dialect of a file in words, for the user."""

from __future__ import annotations

from emojob.pipeline.reading.formats.delimited.dialects import Candidate, Sample
from emojob.schemas.messages import counted

_NAMES = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "the character |", " ": "spaces"}


def delimiter_name(delimiter: str) -> str:
    """Return the name of a delimiter for a message."""
    return _NAMES.get(delimiter, f"the character {delimiter if delimiter.isprintable() else repr(delimiter)[1:-1]}")


def dialect_notes(found: Candidate, default: str, sample: Sample) -> tuple[str, ...]:
    """Return messages for the user about what is unusual in a dialect: no message, or one message.

    Args:
        found: The dialect.
        default: The usual delimiter of files with this name.
        sample: The sample in which the dialect was found.
    """
    dialect, columns = found.dialect, found.columns
    parts = []
    if not dialect.delimiter:
        parts.append("each line is one field")
    elif dialect.delimiter != default:
        parts.append(f"fields are separated by {delimiter_name(dialect.delimiter)}")
    if not dialect.quote and (b'"' in sample.all or b"'" in sample.all):
        parts.append("quotes are ordinary characters")
    elif dialect.quote == "'":
        parts.append("fields are in single quotes")
    if dialect.skips_spaces:
        parts.append("a space before a quote is left out")
    if dialect.escape == "\\":
        parts.append("a backslash escapes the character after it")
    if dialect.skip_rows:
        parts.append(f"header in line {dialect.skip_rows + 1:,}")
    if columns.ignored:
        parts.append(
            f"{counted(len(columns.ignored), 'empty column')} without a name {_be(len(columns.ignored))} left out"
        )
    return ("; ".join(parts),) if parts else ()


def _be(number: int) -> str:
    return "is" if number == 1 else "are"
