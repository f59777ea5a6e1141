"""Trains a way of a bot in a work folder, and moves the folder to its place when it is complete."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emojob.pipeline.replies.way_folders import WAY_FILE, check_files, read_record, work_folder, write_record
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.folders import TRAINING, sync_folder
from emojob.pipeline.storage.lock import lock
from emojob.pipeline.storage.paths import make_folder, output_errors
from emojob.schemas.errors import DataError, OutputError
from emojob.training.finetune.folder import changed_inputs

_FRESH = "give another folder with -o, or add --fresh to train this way again"


@dataclass(frozen=True)
class WayTraining:
    """The training of a way, while the bot is locked.

    Attributes:
        bot: Folder of the bot.
        way: The way.
        made_with: Inputs of the training. A resumed training must have the same inputs.
        is_finished: Whether the bot has this way already, made with the same inputs.
    """

    bot: Path
    way: str
    made_with: dict[str, Any]
    is_finished: bool

    @property
    def work(self) -> Path:
        """The work folder. It may hold an interrupted training with the same inputs."""
        return work_folder(self.bot, self.way)

    def described(self) -> dict[str, Any]:
        """Return what way.json of the finished way says for bot.json."""
        found: dict[str, Any] = read_record(self.bot / self.way)["described"]
        return found

    def finish(self, record: dict[str, Any]) -> None:
        """Write way.json into the complete work folder, and move the folder to its place.

        Args:
            record: Content of way.json, besides the inputs and the files.
        """
        with output_errors(self.bot):
            for folder in sorted(self.work.rglob(TRAINING)):  # locks and logs
                shutil.rmtree(folder)
            write_record(self.work, {"made_with": self.made_with, **record})
            _move(self.bot, self.way)


@contextlib.contextmanager
def way_training(
    bot: Path, way: str, made_with: dict[str, Any], fresh: bool, note: Callable[[str], None] = lambda text: None
) -> Iterator[WayTraining]:
    """Lock a way of a bot, and begin or resume its training in a `with` block. A refusal changes nothing.

    Args:
        bot: Folder of the bot; created if missing.
        way: The way.
        made_with: Inputs of the training.
        fresh: Whether to train the way again from the beginning, even if it is finished or was interrupted.
        note: callback(message), called if a finished way is trained again because a file of it is damaged.

    Raises:
        DataError: way.json is damaged, so the inputs of the finished way are unknown.
        OutputError: The bot has the way, or an interrupted training of it, with other inputs.
        BusyError: Another run trains this way of the bot.
        StorageError: The folder cannot be written.
    """
    made_with = json.loads(json.dumps(made_with))
    with _removing_empty_folders(bot), _locked(bot, way):
        with output_errors(bot):
            if (work_folder(bot, way) / WAY_FILE).is_file():  # a run was killed before it moved the folder
                _move(bot, way)
            if fresh:
                shutil.rmtree(work_folder(bot, way), ignore_errors=True)
            is_finished = not fresh and _is_finished(bot, way, made_with, note)
            if not is_finished:
                _begin(bot, way, made_with)
        yield WayTraining(bot, way, made_with, is_finished)


def _is_finished(bot: Path, way: str, made_with: dict[str, Any], note: Callable[[str], None]) -> bool:
    """Return whether the bot has the undamaged way with these inputs. Raise OutputError if it has other inputs."""
    if not (bot / way).is_dir():
        return False
    record = read_record(bot / way)
    recorded = record["made_with"]
    if made_with not in (recorded, _interrupted(bot, way)):
        raise OutputError(f"-o {bot} has the way {way} from other inputs ({_changed(recorded, made_with)}); {_FRESH}")
    if recorded != made_with:
        return False
    try:
        check_files(bot / way, record)
    except DataError as error:
        note(f"{str(error).partition(': ')[0]}, so the way {way} is trained again")
        return False
    return True


def _begin(bot: Path, way: str, made_with: dict[str, Any]) -> None:
    """Record the inputs, or check that they are those of the interrupted training."""
    recorded, work = _interrupted(bot, way), work_folder(bot, way)
    if recorded and recorded != made_with:
        raise OutputError(
            f"-o {bot} has an interrupted training of the way {way} with other inputs "
            f"({_changed(recorded, made_with)}); {_FRESH}"
        )
    if not recorded:
        shutil.rmtree(work, ignore_errors=True)  # without its inputs, nothing in it can be used
        atomic.write_json(_inputs_file(bot, way), made_with)
        make_folder(work)


def _changed(recorded: dict[str, Any], made_with: dict[str, Any]) -> str:
    """Return which inputs have changed. A recipe that only one of the two has follows from other data."""
    shared = {key: value for key, value in made_with.items() if key in recorded}
    return f"changed: {'; '.join(changed_inputs(recorded, shared))}"


def _interrupted(bot: Path, way: str) -> dict[str, Any]:
    """Return the inputs of the interrupted training; {} if there is none."""
    return atomic.read_json(_inputs_file(bot, way)) if work_folder(bot, way).is_dir() else {}


def _inputs_file(bot: Path, way: str) -> Path:
    return bot / TRAINING / f"{way}.json"


def _move(bot: Path, way: str) -> None:
    """Move a complete work folder to its place. The earlier folder of the way is removed."""
    earlier = bot / TRAINING / f"{way}.earlier"
    shutil.rmtree(earlier, ignore_errors=True)
    if (bot / way).is_dir():
        (bot / way).rename(earlier)
    work_folder(bot, way).rename(bot / way)
    sync_folder(bot)
    _inputs_file(bot, way).unlink(missing_ok=True)
    shutil.rmtree(earlier, ignore_errors=True)


@contextlib.contextmanager
def _locked(bot: Path, way: str) -> Iterator[None]:
    file = bot / TRAINING / f"{way}.lock"
    with contextlib.ExitStack() as stack:
        with output_errors(bot):
            stack.enter_context(lock(file, bot))
        stack.callback(file.unlink, missing_ok=True)
        yield


@contextlib.contextmanager
def _removing_empty_folders(bot: Path) -> Iterator[None]:
    """After the `with` block, remove the folders that the block has made and that are empty."""
    made = [folder for folder in (bot / TRAINING, bot) if folder == bot / TRAINING or not folder.exists()]
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # not empty
            for folder in made:
                folder.rmdir()
