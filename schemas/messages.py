"""Formats parts of messages: lists of names, plurals, and one line of an exception's message."""

from __future__ import annotations

from collections.abc import Sequence

_MOST_LISTED = 40  # maximum number of names in a message
_LONGEST_LISTED = 60  # maximum length; a longer name is probably an utterance in a file without a header line
_SENTENCE = 20  # maximum length of a name that contains spaces
_LONGEST_LINE = 300  # maximum number of characters of a line


def listed(names: Sequence[str]) -> str:
    """Join names with commas for a message. A name that contains a comma, a space or a line end is quoted."""
    shown = list(map(_shown, names))
    more = f", ... ({len(shown) - _MOST_LISTED} more)" if len(shown) > _MOST_LISTED else ""
    return (", ".join(shown[:_MOST_LISTED]) or "none") + more


def _shown(name: str) -> str:
    if len(name) > _LONGEST_LISTED or (len(name) > _SENTENCE and " " in name):  # an utterance, not a name
        return f"(a text of {len(name)} characters: is the header line missing?)"
    return name if name.isprintable() and not set(name) & set(" ,;'") and name else repr(name)


def first_of(names: Sequence[str], others: str = "more") -> str:
    """Return the first name and the number of the others, such as "a.csv and 2 more".

    Args:
        names: At least one name.
        others: Words after the number of the other names, such as "more parts".
    """
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} {others}"


def plural(count: int, noun: str) -> str:
    """Return a noun in the form that fits a count, such as "row" for 1 and "rows" for any other count."""
    return noun if count == 1 else f"{noun}s"


def counted(count: int, noun: str) -> str:
    """Return a count and its noun, such as "1 row" or "2,000 rows"."""
    return f"{count:,} {plural(count, noun)}"


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message, or the exception's type if there is no message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def last_line(error: BaseException) -> str:
    """Return the last line of an exception's message, cut to 300 characters. torch writes the cause in this line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()[:_LONGEST_LINE]
