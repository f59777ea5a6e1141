"""A memo that is kept between runs: a safetensors file whose header says what it is of.

Another model's, or a damaged one, is not used; a file that is no memo is not written over.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_safetensors

from emojob.pipeline.inference.memo import Memo, new_multipliers
from emojob.pipeline.storage.atomic import commit, sync_folder, temporary_path
from emojob.pipeline.storage.lock import lock_folder
from emojob.pipeline.storage.paths import parse_path
from emojob.schemas.errors import OptionError

MEMO_FORMAT = "emojob memo 1"

Arrays = dict[str, NDArray[Any]]


def parse_memo_path(given: str, option: str = "--memo") -> Path:
    """The file that an option names, links followed. Raises OptionError where none may be written there."""
    try:
        file = parse_path(given).resolve()
        if isinstance(file, Path) and file.parent.is_dir() and (file.is_file() or not file.exists()):
            return file
    except (OSError, RuntimeError, ValueError) as error:  # a name too long, a link to itself, a zero byte
        raise OptionError(f"{option} {given!r}: {getattr(error, 'strerror', None) or error}") from error
    raise OptionError(f"{option} {given!r}: give a file of this machine, in a folder that is there")


def load(file: Path, of: dict[str, Any], labels: int) -> tuple[Memo, str]:
    """The memo that is in a file, where it is one of the same model run in the same way; else an empty one.

    of: what the probabilities depend on; labels: how many the model has. The second value says why the memo is
    empty, "" where all is well. Raises OptionError where the file is none that may be written over later.
    """
    header: dict[str, str] = {}
    arrays: Arrays = {}
    try:
        if not file.exists() or not file.stat().st_size:
            return Memo(labels), ""
        with safe_open(file, "numpy") as kept:
            header = kept.metadata() or {}
            if (header.get("format"), header.get("of")) == (MEMO_FORMAT, _named(of)):
                arrays = {name: kept.get_tensor(name) for name in kept.keys()}  # noqa: SIM118
        ours = header.get("format") == MEMO_FORMAT or _begins_as_ours(file)
    except OSError as error:
        raise OptionError(f"--memo {file} cannot be read: {error.strerror or error}") from error
    except (SafetensorError, TypeError):  # TypeError: of a kind that numpy has not
        ours = _begins_as_ours(file)
    if not ours:
        raise OptionError(f"--memo {file} is no memo of emojob's: give another file, or delete it")
    if header and header.get("of") != _named(of):
        return Memo(labels), f"the memo {file} is of another model, or of one run in another way, and is begun anew"
    if header.get("sha256") != _hash(arrays) or not _fits(arrays, labels):
        return Memo(labels), f"the memo {file} is damaged and is begun anew"
    memo = Memo(labels, multipliers=arrays["multipliers"])
    memo.add(arrays["keys"], arrays["probabilities"], arrays["asked"])
    return memo, ""


def save(file: Path, memo: Memo, of: dict[str, Any]) -> None:
    """Write a memo to a file, whole or not at all. Raises OSError."""
    keys, probabilities, asked = memo.contents()
    order = np.argsort(asked, kind="stable")[::-1]
    arrays: Arrays = {
        "keys": keys[order],
        "probabilities": probabilities[order],
        "asked": (asked[order] + 1) // 2,  # what was frequent on other nights makes room in the end
        "multipliers": memo.multipliers,
    }
    content = to_safetensors(arrays, {"format": MEMO_FORMAT, "of": _named(of), "sha256": _hash(arrays)})
    with lock_folder(file.parent):
        try:
            temporary_path(file).unlink(missing_ok=True)
            temporary_path(file).touch(0o600)  # one can ask of it whether a certain text was among those labelled
            temporary_path(file).write_bytes(content)
            commit(temporary_path(file), file)
        finally:
            with contextlib.suppress(OSError):
                temporary_path(file).unlink(missing_ok=True)


def remove(file: Path) -> None:
    """Remove a memo, and what a killed process left of one. Raises OSError, OptionError where it is none."""
    with lock_folder(file.parent):
        refuse_other(file)
        file.unlink(missing_ok=True)
        temporary_path(file).unlink(missing_ok=True)
        sync_folder(file.parent)


def remove_leftovers(file: Path) -> None:
    """Remove what a process that was killed as it kept a memo left beside it."""
    if temporary_path(file).exists():
        with contextlib.suppress(OSError), lock_folder(file.parent):
            temporary_path(file).unlink(missing_ok=True)


def refuse_other(file: Path) -> None:
    """Raise OptionError where a file is there that is no memo."""
    try:
        if file.exists() and file.stat().st_size and not _begins_as_ours(file):
            raise OptionError(f"--memo {file} is no memo of emojob's: give another file, or delete it")
    except OSError as error:
        raise OptionError(f"--memo {file} cannot be read: {error.strerror or error}") from error


def _fits(arrays: Arrays, labels: int) -> bool:
    """Whether the arrays are those of a memo with so many labels."""
    rows = len(arrays.get("keys", ()))
    wanted = {
        "keys": (np.uint64, (rows, 2)),
        "probabilities": (np.float32, (rows, labels)),
        "asked": (np.uint32, (rows,)),
        "multipliers": (np.uint64, new_multipliers().shape),
    }
    return {name: (one.dtype.type, one.shape) for name, one in arrays.items()} == wanted


def _named(of: dict[str, Any]) -> str:
    return json.dumps(of, sort_keys=True)


def _hash(arrays: Arrays) -> str:
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(f"{name} {arrays[name].dtype} {arrays[name].shape}\n".encode())
        found.update(arrays[name].tobytes())
    return found.hexdigest()


def _begins_as_ours(file: Path) -> bool:
    """Whether a file that cannot be read as one began as a memo."""
    with file.open("rb") as handle:
        return MEMO_FORMAT.encode() in handle.read(4096)
