"""Saves and loads the memo file. The memo file contains the memo (cached probabilities of repeated texts).

The memo file is a safetensors file. The header contains the model and the settings. A memo file is ignored if it is
damaged, or was written with another model or other settings. A file that is not a memo file is never overwritten.

The header also contains the marks of the archives whose texts are in the memo (see `output/identity.py`), so that
`emojob forget` recognizes the file. Each text has the day of its last request, so that a nightly run with `keep_days`
can remove old texts.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_safetensors

from emojob.pipeline.inference.memo import TODAY, UNKNOWN_DAY, Memo, new_multipliers
from emojob.pipeline.storage.atomic import draft
from emojob.pipeline.storage.lock import lock_folder
from emojob.pipeline.storage.paths import as_local, parse_path, remove_all
from emojob.pipeline.storage.temporary import sweep
from emojob.schemas.errors import OptionError

MEMO_FORMAT = "emojob memo 1"

Arrays = dict[str, NDArray[Any]]

_EPOCH = datetime.date(1970, 1, 1)
_LONGEST_HEADER = 100 << 20  # bytes; the limit of safetensors


def parse_memo_path(given: str, option: str = "--memo") -> Path:
    """Convert the value of `--memo` to a path. Symbolic links are resolved.

    Args:
        given: Value of the option.
        option: Name of the option, for error messages.

    Raises:
        OptionError: The path is remote, the parent folder does not exist, or the path is not a regular file.
    """
    try:
        file = as_local(parse_path(given).resolve())
        if file is None:
            problem = "is not a local file: give a path on this machine"
        elif not file.parent.is_dir():
            problem = f"needs the folder {file.parent}: create the folder, or give another path"
        elif file.is_file() or not file.exists():
            return file
        else:
            problem = "is not a regular file: give another path"
    except (OSError, RuntimeError, ValueError) as error:  # for example, the path is too long or has a circular link
        reason = getattr(error, "strerror", None) or error
        raise OptionError(f"{option} {given!r}: {reason}; give another path") from error
    raise OptionError(f"{option} {given!r} {problem}")


def load(file: Path, of: dict[str, Any], labels: int) -> tuple[Memo, str]:
    """Load a memo file.

    Args:
        file: The memo file. The file may be missing or empty.
        of: The model and the settings, as JSON. A memo file with another model or other settings is ignored.
        labels: Number of labels of the model.

    Returns:
        (memo, reason). If a memo file is ignored, the memo is empty and `reason` is a message for the user. Otherwise,
        `reason` is "".

    Raises:
        OptionError: The file cannot be read, or is not a memo file.
    """
    header: dict[str, str] = {}
    arrays: Arrays = {}
    try:
        if not file.exists() or not file.stat().st_size:
            return Memo(labels), ""
        with safe_open(file, "numpy") as saved:
            header = saved.metadata() or {}
            if (header.get("format"), header.get("of")) == (MEMO_FORMAT, _header_text(of)):
                arrays = {name: saved.get_tensor(name) for name in saved.keys()}  # noqa: SIM118
        is_memo = header.get("format") == MEMO_FORMAT or _starts_as_memo(file)
    except OSError as error:
        raise OptionError(f"--memo {file} cannot be read: {error.strerror or error}; give another path") from error
    except (SafetensorError, TypeError):  # TypeError: unknown dtype
        is_memo = _starts_as_memo(file)
    if not is_memo:
        raise OptionError(f"--memo {file} is not a memo file of emojob: give another path, or delete the file")
    if header and header.get("of") != _header_text(of):
        return Memo(labels), f"the memo file {file} is for another model or other settings; starting with an empty memo"
    if not _is_whole(header, arrays) or not _fits(arrays, labels):
        return Memo(labels), f"the memo file {file} is damaged; starting with an empty memo"
    memo = Memo(labels, multipliers=arrays["multipliers"])
    memo.add(arrays["keys"], arrays["probabilities"], arrays["asked"], _days(arrays))
    return memo, ""


def save(
    file: Path,
    memo: Memo,
    of: dict[str, Any],
    archives: Sequence[str] = (),
    day: datetime.date | None = None,
    may_save: Callable[[], bool] = lambda: True,
) -> bool:
    """Write a memo file atomically. Only the owner of the file can read it.

    Args:
        file: The memo file. An existing file is replaced.
        memo: The memo (cached probabilities of repeated texts).
        of: The model and the settings, as JSON.
        archives: Marks of the archives whose texts are in the memo.
        day: Day of the texts that this run requested. If None, the day is unknown.
        may_save: callback(), called while the memo file is locked. If the callback returns False, nothing is written.

    Returns:
        Whether the file was written.

    Raises:
        OSError: The file cannot be written.
    """
    keys, probabilities, asked, days = memo.contents()
    days = np.where(days == TODAY, days_since_epoch(day) if day else UNKNOWN_DAY, days).astype(np.uint16)
    order = np.argsort(asked, kind="stable")[::-1]
    arrays: Arrays = {
        "keys": keys[order],
        "probabilities": probabilities[order],
        # halve the request counts, so that new texts can replace texts of earlier runs
        "asked": (asked[order] + 1) // 2,
        "days": days[order],
        "multipliers": memo.multipliers,
    }
    header = {"of": _header_text(of), "archives": json.dumps(list(archives))}
    with lock_folder(file.parent):
        if not may_save():
            return False
        _write(file, arrays, header)
    return True


def _write(file: Path, arrays: Arrays, header: dict[str, str]) -> None:
    """Write a memo file. The caller must hold the lock of the folder."""
    content = to_safetensors(arrays, {**header, "format": MEMO_FORMAT, "sha256": _hash(arrays, header["archives"])})
    with draft(file, mode=0o600) as made:  # only for the owner: the file reveals whether a given text was labelled
        made.sink.write(content)


def prune(file: Path, until: datetime.date, archives: Callable[[list[str]], list[str]]) -> None:
    """Remove the texts that were last requested on `until` or earlier, and the texts whose day is unknown.

    Args:
        file: A memo file.
        until: The last day of the removed texts.
        archives: Function that returns the new marks of the archives for the old marks.

    Raises:
        OSError: The file cannot be read or written.
        OptionError: The file is not a memo file.
    """
    with lock_folder(file.parent):
        header, arrays = _read(file)
        if not _is_whole(header, arrays) or "keys" not in arrays:
            raise OptionError(f"the memo file {file} is damaged: delete the file")
        kept = _days(arrays) > days_since_epoch(until)
        arrays = {name: one if name == "multipliers" else one[kept] for name, one in arrays.items()}
        marks = json.dumps(archives(_marks(header)))
        _write(file, arrays, {"of": header.get("of", ""), "archives": marks})


def read_archives(file: Path) -> list[str]:
    """Return the marks of the archives in a memo file; [] if the file is not a memo file.

    Raises:
        OSError: The file cannot be read.
    """
    return _marks(_read_header(file))


def read_multipliers(file: Path) -> bytes:
    """Return the hash multipliers of a memo file; b"" if the file is missing or damaged.

    A memo that starts empty has new multipliers. So different multipliers show that the file was removed in between.
    """
    with contextlib.suppress(OSError, OptionError):
        return _read(file)[1]["multipliers"].tobytes()
    return b""


def days_since_epoch(day: datetime.date) -> int:
    """Return the number of days since 1970-01-01, between 1 and 65,534."""
    return min(max(1, (day - _EPOCH).days), TODAY - 1)


def remove(file: Path) -> None:
    """Delete a memo file. Raises OptionError if the file is not a memo file."""
    with lock_folder(file.parent):
        refuse_other(file)
        remove_all([file])
        sweep(file.parent)


def refuse_other(file: Path) -> None:
    """Raise OptionError if the file exists and is not a memo file."""
    try:
        if file.exists() and file.stat().st_size and not _starts_as_memo(file):
            raise OptionError(f"--memo {file} is not a memo file of emojob: give another path, or delete the file")
    except OSError as error:
        raise OptionError(f"--memo {file} cannot be read: {error.strerror or error}; give another path") from error


def _fits(arrays: Arrays, labels: int) -> bool:
    """Return whether the arrays of a memo file have the expected names, shapes and dtypes."""
    rows = len(arrays.get("keys", ()))
    if "days" in arrays and (arrays["days"].dtype.type, arrays["days"].shape) != (np.uint16, (rows,)):
        return False
    wanted = {
        "keys": (np.uint64, (rows, 2)),
        "probabilities": (np.float32, (rows, labels)),
        "asked": (np.uint32, (rows,)),
        "multipliers": (np.uint64, new_multipliers().shape),
    }
    return {name: (one.dtype.type, one.shape) for name, one in arrays.items() if name != "days"} == wanted


def _header_text(of: dict[str, Any]) -> str:
    """Return the model and the settings as a JSON string, for the header of the memo file."""
    return json.dumps(of, sort_keys=True)


def _is_whole(header: dict[str, str], arrays: Arrays) -> bool:
    """Return whether the SHA-256 in the header is right. In files of earlier versions, it covers only the arrays."""
    return header.get("sha256") in (_hash(arrays, header.get("archives", "")), _hash(arrays))


def _hash(arrays: Arrays, archives: str = "") -> str:
    """Return the SHA-256 of the arrays (names, dtypes, shapes and contents) and of `archives`, hexadecimal."""
    found = hashlib.sha256(archives.encode())
    for name in sorted(arrays):
        found.update(f"{name} {arrays[name].dtype} {arrays[name].shape}\n".encode())
        found.update(arrays[name].tobytes())
    return found.hexdigest()


def _starts_as_memo(file: Path) -> bool:
    """Return whether a file begins like a memo file."""
    return _read_header(file).get("format") == MEMO_FORMAT or _begins_with_format(file)


def _begins_with_format(file: Path) -> bool:
    with file.open("rb") as handle:
        return MEMO_FORMAT.encode() in handle.read(4096)


def _read_header(file: Path) -> dict[str, str]:
    """Return the metadata in the header of a memo file; {} if the file is not a memo file. Raises OSError."""
    with file.open("rb") as handle:
        size = int.from_bytes(handle.read(8), "little")
        content = handle.read(size) if 0 < size <= _LONGEST_HEADER else b""
    with contextlib.suppress(ValueError, RecursionError, AttributeError, TypeError):
        found = json.loads(content).get("__metadata__")
        if found.get("format") == MEMO_FORMAT:
            return {name: value for name, value in found.items() if isinstance(value, str)}
    return {}


def _read(file: Path) -> tuple[dict[str, str], Arrays]:
    """Return (metadata of the header, arrays) of a memo file. Raises OSError, or OptionError for any other file."""
    try:
        with safe_open(file, "numpy") as saved:
            header = saved.metadata() or {}
            if header.get("format") == MEMO_FORMAT:
                return header, {name: saved.get_tensor(name) for name in saved.keys()}  # noqa: SIM118
    except (SafetensorError, TypeError):  # TypeError: unknown dtype
        pass
    raise OptionError(f"{file} is not a memo file of emojob, or is damaged: delete the file, or give another path")


def _marks(header: dict[str, str]) -> list[str]:
    """Return the marks of the archives in the header of a memo file."""
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(header.get("archives", "[]"))
        return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
    return []


def _days(arrays: Arrays) -> NDArray[np.uint16]:
    """Return the day of the last request of each text. A file of an earlier version contains no days."""
    return arrays.get("days", np.full(len(arrays["keys"]), UNKNOWN_DAY, np.uint16))
