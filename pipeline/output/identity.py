"""The identity of a labelled archive: a random ID, and counters of the rows that left the archive.

A derived file (a file that was made from the rows of an archive, such as a report) carries the mark of the archive.
The mark contains a hash of the ID, so a file that you pass on does not reveal the ID. The mark also contains the
counters. If rows have left the archive since the file was written, the counters of the archive are higher than the
counters in the mark. Then the file is outdated: it may show rows that the archive no longer contains.

An archive folder has its identity in archive.json. A single labelled file has its identity in the Parquet metadata. The
identity of a single file that was written by an earlier version is in archive.json in the folder of the records.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emojob.pipeline.output.layout import ARCHIVE_FILE, derived_folder
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.lock import lock_folder
from emojob.pipeline.storage.object_store import ObjectPath
from emojob.pipeline.storage.paths import AnyPath, make_folder, seekable

_ID = re.compile(r"[0-9a-f]{32}")
_MARK = re.compile(r"([0-9a-f]{32})-(\d{1,18})-(\d{1,18})")
_FORMAT = 1
_HIDDEN = "forgotten-"  # beginning of the hidden name of an input (see `derived/forgotten_inputs.py`)


@dataclass(frozen=True)
class Mark:
    """The mark of an archive in a derived file.

    Attributes:
        archive: Hash of the archive's ID: 32 hexadecimal digits.
        removals: Value of `Identity.removals` when the rows were read.
        replacements: Value of `Identity.replacements` when the rows were read.
    """

    archive: str
    removals: int = 0
    replacements: int = 0

    def __str__(self) -> str:
        return f"{self.archive}-{self.removals}-{self.replacements}"

    @classmethod
    def parse(cls, text: str) -> Mark | None:
        """Parse the result of `str(mark)`. Return None if `text` is not a mark."""
        found = _MARK.fullmatch(text)
        return cls(found[1], int(found[2]), int(found[3])) if found else None


@dataclass(frozen=True)
class Identity:
    """The identity of an archive.

    Attributes:
        id: Random number of 128 bits: 32 hexadecimal digits.
        removals: Counts how often `emojob forget` or `keep_days` removed rows. May count a removal twice.
        replacements: Counts how often `emojob score` removed or replaced rows. May count a replacement twice.
        place: Path or URL of the archive; None if unknown. A copy of an archive has the place of the original.
    """

    id: str
    removals: int = 0
    replacements: int = 0
    place: str | None = field(default=None, compare=False)

    @property
    def mark(self) -> Mark:
        """The mark for files that are made from the current rows."""
        hashed = hashlib.sha256(f"emojob archive {self.id}".encode()).hexdigest()[:32]
        return Mark(hashed, self.removals, self.replacements)

    def as_json(self) -> dict[str, Any]:
        """Return the identity as JSON values."""
        place = {} if self.place is None else {"place": self.place}
        return {"id": self.id, "removals": self.removals, "replacements": self.replacements, **place}

    @classmethod
    def from_json(cls, plain: object) -> Identity | None:
        """Parse the result of `as_json`. Return None if `plain` is malformed."""
        if not isinstance(plain, Mapping) or not isinstance(plain.get("id"), str) or not _ID.fullmatch(plain["id"]):
            return None
        counters = [plain.get(name, 0) for name in ("removals", "replacements")]
        if not all(isinstance(one, int) and 0 <= one < 10**18 for one in counters):
            return None
        place = plain.get("place")
        return cls(
            plain["id"], counters[0], counters[1], place if isinstance(place, str) and "\0" not in place else None
        )


def new_identity(out: AnyPath) -> Identity:
    """Return an identity with a new random ID for an archive at `out`."""
    return Identity(secrets.token_hex(16), place=_place(out))


def original_of(out: AnyPath, identity: Identity) -> Path | None:
    """Return the archive of which a local archive is a copy; None if it is no copy, or the original was moved.

    Args:
        out: Labelled archive: a folder or a single file.
        identity: Identity of `out`.
    """
    if identity.place is None or identity.place == _place(out) or isinstance(out, ObjectPath):
        return None
    original = Path(identity.place)
    with contextlib.suppress(OSError, ValueError):
        if original.is_absolute() and not original.samefile(out):
            found = read_identity(original)
            return original if found is not None and found.id == identity.id else None
    return None


def at_place(identity: Identity, out: AnyPath) -> Identity:
    """Return the identity of an archive that is about to be written. A copy keeps the place of the original.

    Args:
        identity: Identity of the archive.
        out: Labelled archive: a folder or a single file.
    """
    return identity if original_of(out, identity) else replace(identity, place=_place(out))


def record_place(folder: AnyPath) -> None:
    """Record the place of an archive folder that was moved. A copy keeps the place of the original."""
    found = read_identity(folder)
    if found and at_place(found, folder).place != found.place:
        _write(folder)


def read_identity(out: AnyPath) -> Identity | None:
    """Return the identity of an archive; None if the archive has no identity yet.

    Args:
        out: Labelled archive: a folder or a single file.

    Raises:
        OSError: The archive cannot be read.
    """
    if out.is_dir():
        return Identity.from_json(atomic.read_json(out / ARCHIVE_FILE))
    return identity_in_file(out) or Identity.from_json(atomic.read_json(_beside(out)))


def identity_in_file(file: AnyPath) -> Identity | None:
    """Return the identity in the metadata of a single labelled file; None if the file is missing or has no identity."""
    with contextlib.suppress(FileNotFoundError, KeyError, TypeError, ValueError, RecursionError, pa.ArrowException):
        metadata = pq.read_schema(seekable(file)).metadata or {}
        return Identity.from_json(json.loads(metadata[b"emojob"]).get("archive"))
    return None


def ensure_identity(out: AnyPath) -> Identity:
    """Return the identity of an archive. If the archive has no identity yet, create one.

    Args:
        out: Labelled archive: a folder, or a single file that may not exist yet.

    Raises:
        OSError: The archive cannot be read or written.
    """
    found = read_identity(out)
    if found:
        return found
    file = out / ARCHIVE_FILE if out.is_dir() else _beside(out)
    make_folder(file.parent)
    plain: dict[str, Any] = {"format": _FORMAT, **new_identity(out).as_json()}
    if isinstance(file, ObjectPath):
        with contextlib.suppress(FileExistsError):  # two processes may create the object at the same time
            file.write_bytes(atomic.json_bytes(plain), create_only=True)
        found = Identity.from_json(atomic.read_json(file))
        if found is None:  # the object is damaged
            atomic.write_json(file, plain)
    else:
        with lock_folder(file.parent):
            found = Identity.from_json(atomic.read_json(file))
            if found is None:
                atomic.write_json(file, plain)
    return found or Identity(plain["id"])


def count_removal(folder: AnyPath) -> Identity:
    """Increase `removals` of an archive folder. Call this before and after rows are removed, with OUT locked."""
    return _write(folder, removals=1)


def count_replacement(folder: AnyPath) -> Identity:
    """Increase `replacements` of an archive folder. Call this before rows are replaced, with OUT locked."""
    return _write(folder, replacements=1)


# -- names of inputs ---------------------------------------------------------------------------------------------------


def hidden_name(identity: Identity, name: str) -> str:
    """Return the text that replaces the name of an input: "forgotten-" and 32 hexadecimal digits.

    Args:
        identity: Identity of the archive.
        name: Absolute path or URL of the input.
    """
    return (
        _HIDDEN + hmac.new(identity.id.encode(), name.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()[:32]
    )


def is_hidden(name: str) -> bool:
    """Return whether a name of an input was replaced. Names of inputs are absolute paths or URLs."""
    return name.startswith(_HIDDEN)


def names_of_hidden(archive: AnyPath, hidden: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Return {hidden name: name} for the hidden names whose input is known.

    Args:
        archive: Labelled archive: a folder or a single file.
        hidden: Names of the inputs of the archive. Names that are not hidden are ignored.
        known: Names of inputs.
    """
    wanted = set(filter(is_hidden, hidden))
    identity = read_identity(archive) if wanted else None
    if identity is None:
        return {}
    found = {hidden_name(identity, name): name for name in known}
    return {name: found[name] for name in wanted if name in found}


# -- files -------------------------------------------------------------------------------------------------------------


def _write(folder: AnyPath, removals: int = 0, replacements: int = 0) -> Identity:
    found = at_place(ensure_identity(folder), folder)
    now = replace(found, removals=found.removals + removals, replacements=found.replacements + replacements)
    atomic.write_json(folder / ARCHIVE_FILE, {"format": _FORMAT, **now.as_json()})
    return now


def _place(out: AnyPath) -> str | None:
    """Return the path or URL of an archive; None if it is not valid Unicode."""
    with contextlib.suppress(UnicodeEncodeError):
        return str(out.resolve()).encode().decode()
    return None


def _beside(file: AnyPath) -> AnyPath:
    return derived_folder(file) / "archive.json"
