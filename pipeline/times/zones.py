"""Finds time zones by name or offset, for DuckDB."""

from __future__ import annotations

import difflib
import re

import duckdb

from emojob.schemas.errors import OptionError

#: The time zone of times without a zone.
DEFAULT_ZONE = "Asia/Seoul"

_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?([0-5]\d))?", re.IGNORECASE | re.ASCII)
_MOST_HOURS = 14
_SIMILAR = 0.75  # share of equal characters of a name that may be meant
_OTHER_NAMES = {"KST": "Asia/Seoul", "JST": "Asia/Tokyo", "Z": "UTC"}

#: ICU knows these abbreviations, but people use them for several time zones, or for another one.
_UNCLEAR = {
    "ACT", "AET", "AGT", "ART", "AST", "BET", "BST", "CAT", "CNT", "CST", "CTT", "EAT", "ECT", "IET", "IST", "MIT",
    "NET", "NST", "PLT", "PNT", "PRT", "PST", "SST", "VST",
}  # fmt: skip
_UTC = {"utc", "gmt", "uct", "zulu", "universal", "greenwich", "gmt0", "gmt+0", "gmt-0", "unknown"}


def find_zone(db: duckdb.DuckDBPyConnection, name: str) -> str | None:
    """Return the name that DuckDB uses for a time zone, or None if the zone is unknown or unclear.

    Args:
        db: Any database.
        name: A name such as Asia/Seoul, or an offset such as +09:00, -0330, UTC+9.
    """
    name = _OTHER_NAMES.get(name.strip().upper(), name.strip())
    offset = _OFFSET.fullmatch(name)
    if offset:
        sign, hours, minutes = offset.groups(default="00")
        if int(hours) * 60 + int(minutes) > _MOST_HOURS * 60:
            return None
        if int(minutes):  # DuckDB reads UTC+05:30 as +05:00, but GMT+05:30 correctly
            return f"GMT{sign}{int(hours):02}:{minutes}"
        # The names of Etc/ have the opposite sign. They end at 12 hours behind UTC.
        name = f"Etc/GMT{'-' if sign == '+' else '+'}{int(hours)}" if int(hours) else "UTC"
    if name.upper() in _UNCLEAR:
        return None
    query = "SELECT name FROM pg_timezone_names() WHERE lower(name) = lower($name) ORDER BY name = $name DESC"
    found = db.execute(query, {"name": name}).fetchone()
    return str(found[0]) if found else None


def check_zone(db: duckdb.DuckDBPyConnection, name: str, option: str) -> str:
    """Return the name that DuckDB uses for a time zone that the user gave.

    Args:
        db: Any database.
        name: The given name or offset.
        option: The option or setting that contains the name, for the error message.

    Raises:
        OptionError: The time zone is unknown or unclear.
    """
    zone = find_zone(db, name)
    if zone is None:
        names = {str(one).lower(): str(one) for (one,) in db.execute("SELECT name FROM pg_timezone_names()").fetchall()}
        near = difflib.get_close_matches(name.strip().lower(), names, n=1, cutoff=_SIMILAR)
        example = f"did you mean {names[near[0]]}? Otherwise, " if near else ""
        raise OptionError(
            f"{option} {name!r} is unknown or has several meanings; {example}give a name such as {DEFAULT_ZONE}, or an "
            f"offset such as +09:00"
        )
    return zone


def is_utc(zone: str) -> bool:
    """Return whether a name from `find_zone` is another name of UTC."""
    return zone.casefold().removeprefix("etc/") in _UTC


def region_names(db: duckdb.DuckDBPyConnection) -> str:
    """Return a regular expression that matches the names of all regions, such as asia/seoul, in lower case."""
    rows = db.execute("SELECT DISTINCT lower(name) FROM pg_timezone_names() WHERE contains(name, '/')").fetchall()
    return "(?:" + "|".join(sorted(re.escape(str(name)) for (name,) in rows)) + ")"
