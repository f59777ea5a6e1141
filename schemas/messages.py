"""Builds parts of messages: lists of names, singular and plural nouns, and one line of an exception message."""

from __future__ import annotations

from collections.abc import Sequence

_MOST_LISTED = 40  # maximum number of names in a message
_LONGEST_LISTED = 60  # maximum number of characters of a name; a longer name is probably an utterance
_SENTENCE = 20  # maximum number of characters of a name with spaces
_LONGEST_LINE = 300  # maximum number of characters of the result of `last_line`


def listed(names: Sequence[str]) -> str:
    """Join names with commas. A name with a space or a comma is quoted."""
    shown = list(map(_shown, names))
    more = f", ... ({len(shown) - _MOST_LISTED} more)" if len(shown) > _MOST_LISTED else ""
    return (", ".join(shown[:_MOST_LISTED]) or "none") + more


def _shown(name: str) -> str:
    if len(name) > _LONGEST_LISTED or (len(name) > _SENTENCE and " " in name):  # the name is probably an utterance
        return f"(a text of {len(name)} characters: is the header line missing?)"
    return name if name.isprintable() and not set(name) & set(" ,;'") and name else repr(name)


def first_of(names: Sequence[str], others: str = "more") -> str:
    """Return the first name and the number of remaining names, for example "a.csv and 2 more".

    Args:
        names: At least one name.
        others: Text after the number, for example "more parts".
    """
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} {others}"


def plural(count: int, noun: str) -> str:
    """Return the singular or plural of a noun: "row" for 1, otherwise "rows"."""
    return noun if count == 1 else f"{noun}s"


def counted(count: int, noun: str) -> str:
    """Return a count and a noun, for example "1 row" or "2,000 rows"."""
    return f"{count:,} {plural(count, noun)}"


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message; the type name if the message is empty."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def last_line(error: BaseException) -> str:
    """Return the last line of an exception's message, where torch writes the cause."""
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()[:_LONGEST_LINE]
