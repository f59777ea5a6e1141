"""Saves and loads the memo file. The memo file contains the memo (cached probabilities of repeated texts).

The memo file is a safetensors file. The header contains the model and the settings. A memo file is ignored if it is
damaged, or was written with another model or other settings. A file that is not a memo file is never overwritten.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_safetensors

from emojob.pipeline.inference.memo import Memo, new_multipliers
from emojob.pipeline.storage.atomic import draft
from emojob.pipeline.storage.lock import lock_folder
from emojob.pipeline.storage.paths import as_local, parse_path, remove_all
from emojob.pipeline.storage.temporary import sweep
from emojob.schemas.errors import OptionError

MEMO_FORMAT = "emojob memo 1"

Arrays = dict[str, NDArray[Any]]


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
    if header.get("sha256") != _hash(arrays) or not _fits(arrays, labels):
        return Memo(labels), f"the memo file {file} is damaged; starting with an empty memo"
    memo = Memo(labels, multipliers=arrays["multipliers"])
    memo.add(arrays["keys"], arrays["probabilities"], arrays["asked"])
    return memo, ""


def save(file: Path, memo: Memo, of: dict[str, Any]) -> None:
    """Write a memo file atomically. Only the owner of the file can read it.

    Args:
        file: The memo file. An existing file is replaced.
        memo: The memo (cached probabilities of repeated texts).
        of: The model and the settings, as JSON.

    Raises:
        OSError: The file cannot be written.
    """
    keys, probabilities, asked = memo.contents()
    order = np.argsort(asked, kind="stable")[::-1]
    arrays: Arrays = {
        "keys": keys[order],
        "probabilities": probabilities[order],
        # halve the request counts, so that new texts can replace texts of earlier runs
        "asked": (asked[order] + 1) // 2,
        "multipliers": memo.multipliers,
    }
    content = to_safetensors(arrays, {"format": MEMO_FORMAT, "of": _header_text(of), "sha256": _hash(arrays)})
    # only for the owner: the file reveals whether a given text was labelled
    with lock_folder(file.parent), draft(file, mode=0o600) as made:
        made.sink.write(content)


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
    wanted = {
        "keys": (np.uint64, (rows, 2)),
        "probabilities": (np.float32, (rows, labels)),
        "asked": (np.uint32, (rows,)),
        "multipliers": (np.uint64, new_multipliers().shape),
    }
    return {name: (one.dtype.type, one.shape) for name, one in arrays.items()} == wanted


def _header_text(of: dict[str, Any]) -> str:
    """Return the model and the settings as a JSON string, for the header of the memo file."""
    return json.dumps(of, sort_keys=True)


def _hash(arrays: Arrays) -> str:
    """Return the SHA-256 of the arrays (names, dtypes, shapes and contents), hexadecimal."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(f"{name} {arrays[name].dtype} {arrays[name].shape}\n".encode())
        found.update(arrays[name].tobytes())
    return found.hexdigest()


def _starts_as_memo(file: Path) -> bool:
    """Return whether a file begins like a memo file."""
    with file.open("rb") as handle:
        return MEMO_FORMAT.encode() in handle.read(4096)
