"""Lock the model folder during training, and check the inputs of a resumed run."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from emojob.pipeline.storage.atomic import write_json
from emojob.pipeline.storage.folders import TRAINING
from emojob.pipeline.storage.lock import lock
from emojob.pipeline.storage.paths import remove_all
from emojob.pipeline.storage.temporary import sweep
from emojob.schemas.errors import OutputError, StorageError
from emojob.training.finetune import checkpoints
from emojob.training.finetune.distributed import is_first

#: Subfolder of the model folder for checkpoints, logs and the recorded inputs.
WORK = TRAINING

_MADE_WITH = "made_with.json"
_LOCK = "lock"
_LOGS = "runs"  # logs of TensorBoard

#: Model files that --fresh removes.
_MODEL_FILES = (
    "config.json", "model.safetensors", "spiece.model", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "metrics.json", "recipe.json", "trained_on.json", "README.md", "curves.png",
    "training.html", "copies.npy",
)  # fmt: skip

#: Messages of write errors that torch and safetensors do not raise as OSError.
_WRITE_ERROR = re.compile(r"PytorchStreamWriter|.*(unexpected pos|I/O error|os error)", re.DOTALL | re.IGNORECASE)


@contextlib.contextmanager
def lock_folder(out: Path) -> Iterator[None]:
    """Create the model folder if it does not exist, and lock it in a `with` block.

    Raises:
        OutputError: `out` is a file, or a folder that `emojob train` did not create.
        BusyError: Another run uses the folder.
        StorageError: A file in the folder cannot be written, before or during the `with` block.
    """
    if not is_first():
        yield
        return
    with _translate_write_errors(out), _mute_thread_write_errors():
        _ensure_usable(out)
        with lock(out / WORK / _LOCK, out):
            yield


def begin_or_resume(out: Path, made_with: dict[str, Any], fresh: bool) -> bool:
    """Record the inputs of a new run, or check that a resumed run has the recorded inputs.

    Args:
        out: The locked model folder.
        made_with: Inputs of the run: recipe, base model, data and labels.
        fresh: Whether to delete an earlier run and start again.

    Returns:
        Whether the folder already contains a finished model.

    Raises:
        OutputError: The folder contains results of a run with different inputs.
    """
    if not is_first():
        return not fresh and _is_finished(out)
    if fresh:
        _remove_earlier_run(out)
    record = out / WORK / _MADE_WITH
    ours = json.loads(json.dumps(made_with))
    if not _is_finished(out) and not checkpoints.newest_complete(out / WORK):  # nothing to resume
        write_json(record, ours)
        return False
    recorded = _read_record(out, record)
    changed = changed_inputs(recorded, ours)
    if changed:
        raise OutputError(
            f"-o {out} has results of a run with other inputs (changed: {'; '.join(changed)}); give another folder "
            "with -o, or add --fresh to delete the old results and start again"
        )
    return _is_finished(out)


def changed_inputs(recorded: dict[str, Any], ours: dict[str, Any]) -> list[str]:
    """Return the names of the inputs of a run that differ from the recorded ones, with both values of settings."""
    return [_changed(key, recorded.get(key), ours[key]) for key in ours if recorded.get(key) != ours[key]]


def _changed(key: str, recorded: Any, ours: Any) -> str:
    """Return the name of a changed input, with the recorded and the new value of each changed setting in it."""
    name = key.replace("_", " ")
    before, now = _settings({name: recorded}), _settings({name: ours})
    changed = [setting for setting in now if before.get(setting) != now[setting]]
    if len(changed) > 1:  # the other settings determine the number of steps, and so `log_every`
        changed = [setting for setting in changed if setting != "recipe.training.log_every"]
    shown = [
        f"{setting} {before[setting]}, now {now[setting]}" if _is_shown(setting, before, now) else setting
        for setting in changed
    ]
    return "; ".join(shown) or name


def _settings(values: dict[str, Any], section: str = "") -> dict[str, Any]:
    """Return {`section.setting`: value} of nested sections."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _settings(value, f"{section}{key}.") if isinstance(value, dict) else {f"{section}{key}": value}
    return found


def _is_shown(setting: str, before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Return whether the values of a setting are worth showing: plain values that are not hashes."""
    shown = (str, int, float)
    return "sha256" not in setting and isinstance(now[setting], shown) and isinstance(before.get(setting), shown)


def remove_checkpoints(out: Path) -> None:
    """Remove all checkpoints, but keep the logs and the recorded inputs."""
    for checkpoint in checkpoints.checkpoints_in(out / WORK):
        shutil.rmtree(checkpoint)


def _ensure_usable(out: Path) -> None:
    is_folder = out.is_dir()
    if os.path.lexists(out) and not is_folder:
        raise OutputError(f"-o {out} is not a folder: give the path of a new folder")
    if is_folder and not _has_work_folder(out) and any(out.iterdir()):
        raise OutputError(
            f"-o {out} is not empty, and emojob train did not create this folder: give a new or empty folder"
        )


def _has_work_folder(out: Path) -> bool:
    """Return whether `emojob train` created the folder `_training` in `out`."""
    work = out / WORK
    if work.is_symlink() or not work.is_dir():
        return False
    return (work / _LOCK).is_file() or (work / _MADE_WITH).is_file() or not any(work.iterdir())


@contextlib.contextmanager
def _mute_thread_write_errors() -> Iterator[None]:
    """Hide the traceback of an OSError in a thread, because TensorBoard raises the error again in the main thread."""
    usual = threading.excepthook

    def hook(raised: threading.ExceptHookArgs) -> None:
        if not issubclass(raised.exc_type, OSError):
            usual(raised)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = usual


@contextlib.contextmanager
def _translate_write_errors(out: Path) -> Iterator[None]:
    """Convert write errors in the folder `out` to StorageError or OutputError."""
    try:
        yield
    except BrokenPipeError:  # stdout was closed; this is not a write error in `out`
        raise
    except (OSError, SafetensorError, RuntimeError) as error:
        if not isinstance(error, OSError) and not _WRITE_ERROR.match(str(error)):
            raise
        if isinstance(error, OSError) and error.errno in (errno.ENOTDIR, errno.ENAMETOOLONG):
            raise OutputError(f"-o {out} cannot be used as a folder: {error.strerror}; give another path") from error
        reason = (isinstance(error, OSError) and error.strerror) or "the disk may be full"
        raise StorageError(
            f"cannot write into -o {out} ({reason}): free some space or grant write permission, then run the same "
            "command to resume"
        ) from error


def _is_finished(out: Path) -> bool:
    return (out / "config.json").exists() and (out / "model.safetensors").exists()


def _read_record(out: Path, record: Path) -> dict[str, Any]:
    try:
        recorded = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        recorded = None
    if not isinstance(recorded, dict):
        raise OutputError(
            f"-o {out}: {WORK}/{record.name} is missing or damaged, so the run cannot be resumed; "
            "give another folder with -o, or add --fresh to start again"
        )
    return recorded


def _remove_earlier_run(out: Path) -> None:
    """Remove the files of an earlier run. Files that emojob did not write stay.

    config.json is removed first, because emojob does not use a folder without config.json as a model.
    """
    for name in _MODEL_FILES:
        (out / name).unlink(missing_ok=True)
    sweep(out)
    remove_checkpoints(out)
    logs = out / WORK / _LOGS
    if logs.is_dir() and not logs.is_symlink():
        shutil.rmtree(logs)
    remove_all([out / WORK / _MADE_WITH])
