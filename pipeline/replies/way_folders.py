"""The folders of the ways of a bot, such as BOT/answers, and the file way.json in each of them.

A way is trained in BOT/_training/WAY. way.json is written last. Then the folder is moved to BOT/WAY. So BOT/WAY is
always complete, and an earlier way works until the new one is complete.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.folders import TRAINING
from emojob.schemas.errors import DataError

#: The file that is written last. Keys: made_with (inputs of the training), described (what bot.json says about the
#: way), files ({file: bytes}), sha256 ({file: its hash}, missing in bots of earlier versions) and, for the way answers,
#: classifier (whether the classifier is used).
WAY_FILE = "way.json"

#: Files that the bot does not read.
_UNREAD = ("metrics.json", "recipe.json", WAY_FILE)
_UNREAD_ENDINGS = (".md", ".png", ".html")


def work_folder(bot: Path, way: str) -> Path:
    """Return the folder in which a way is trained."""
    return bot / TRAINING / way


def find_way(bot: Path, way: str) -> Path | None:
    """Return the folder of a finished way; None if the bot does not have the way."""
    work = work_folder(bot, way)
    if (bot / way).is_dir():
        return bot / way
    return work if (work / WAY_FILE).is_file() else None  # a run was killed before it moved the folder


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Write way.json into a complete folder, with the sizes and the hashes of the files that the bot reads."""
    files = {file.relative_to(folder).as_posix(): file.stat().st_size for file in files_of(folder)}
    atomic.write_json(folder / WAY_FILE, {**record, "files": files, "sha256": _hashes(folder)})


def read_record(folder: Path) -> dict[str, Any]:
    """Return the content of way.json.

    Raises:
        DataError: The file is missing or damaged.
    """
    file = folder / WAY_FILE
    record = atomic.read_json(file)
    needed = {"made_with": dict, "described": dict, "files": dict}
    is_whole = all(isinstance(record.get(key), kind) for key, kind in needed.items())
    if not is_whole or not isinstance(record.get("sha256", {}), dict):
        raise DataError(f"{file} is {'damaged' if file.exists() else 'missing'}: {repair(folder)}")
    return record


def check_files(folder: Path, record: dict[str, Any]) -> dict[str, str]:
    """Return {file: SHA-256} of the files of a way that the bot reads, besides way.json.

    Args:
        folder: Folder of the way.
        record: Content of way.json. In bots of earlier versions, it has only the sizes of the files.

    Raises:
        DataError: A file is missing, or is not as it was after the training.
    """
    for name, size in record["files"].items():
        file = folder / name
        if not file.is_file():
            raise DataError(f"{file} is missing: {repair(folder)}")
        if file.stat().st_size != size:
            raise DataError(
                f"{file} is damaged, because it has {file.stat().st_size:,} bytes instead of {size:,}: {repair(folder)}"
            )
    found, recorded = _hashes(folder), record.get("sha256", {})
    for name, digest in found.items():
        if recorded.get(name, digest) != digest:
            raise DataError(
                f"{folder / name} is damaged, because its content has changed since the training: {repair(folder)}"
            )
    return found


def files_of(folder: Path) -> list[Path]:
    """Return the files of a way that the bot reads, besides way.json."""
    found = [file for file in sorted(folder.rglob("*")) if file.is_file() and not file.name.startswith(".")]
    return [file for file in found if file.name not in _UNREAD and not file.name.endswith(_UNREAD_ENDINGS)]


def missing_way(bot: Path, way: str) -> DataError:
    """Return the error about a way that bot.json names and that has no folder."""
    return DataError(f"{bot / way} is missing: {repair(bot / way)}")


def repair(folder: Path) -> str:
    """Return the next step for a damaged way, for error messages.

    Args:
        folder: Folder of the way.
    """
    bot = folder.parent.parent if folder.parent.name == TRAINING else folder.parent
    return f"copy it from a backup, or run the `emojob train-replies` command that made it, with -o {bot} and --fresh"


def _hashes(folder: Path) -> dict[str, str]:
    """Return {file: SHA-256} of the files of a way that the bot reads, besides way.json."""
    found = {}
    for file in files_of(folder):
        with file.open("rb") as stream:
            found[file.relative_to(folder).as_posix()] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found
