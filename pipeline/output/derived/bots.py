"""Bots that learned from the rows of an archive (`emojob train-replies --from-archive`).

A way of a bot, such as BOT/answers, contains texts of the archive, or weights that a training made from them. So each
way has a record in the archive (see `records`), and BOT/.archives.json has the marks of the archives from which each
way learned. `emojob forget` cannot remove texts from weights, so it never changes a bot: it says that the bot must be
made again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from emojob.pipeline.output.derived.records import BOT
from emojob.pipeline.output.derived.writing import DerivedFile
from emojob.pipeline.output.identity import Mark
from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.folders import TRAINING
from emojob.pipeline.storage.lock import lock_folder
from emojob.pipeline.storage.paths import make_folder, output_errors
from emojob.pipeline.storage.permissions import limit_permissions
from emojob.schemas.errors import DataError, EmojobError, OutputError

_FILE = ".archives.json"
_FORMAT, _VERSION = "format", 1


@contextlib.contextmanager
def learning(archive: LabelledArchive, way: Path, note: Callable[[str], None]) -> Iterator[None]:
    """Record that a way of a bot learns from the rows of an archive, during the `with` block.

    Until the block has ended without an error, the way may still contain what it learned before. If the block raises
    OutputError, or raises another error before the training begins, the bot is left as it was. Only users who can read
    the archive can read the bot.

    Args:
        archive: The archive, as it was when the rows were read.
        way: Folder of the way, such as BOT/answers. It need not exist.
        note: callback(message), called if the archive cannot be written.

    Raises:
        ChangedError: Rows have left the archive meanwhile. The bot has learned from them.
        OutputError, StorageError: The folder of the bot cannot be written.
    """
    with limit_permissions(part.file for part in archive.part_files):
        derived = DerivedFile(archive, way, BOT, note)
        is_new = not way.parent.exists()
        with output_errors(way.parent):
            make_folder(way.parent)
            before = marks_of(way)
            _write(way, [*before, derived.mark])
        try:
            yield
        except EmojobError as error:
            if isinstance(error, OutputError) or not is_in_training(way):
                _restore(way, before, is_new)
            raise
        with output_errors(way.parent), derived.committing():
            _write(way, [derived.mark])


def learned_from_files(way: Path) -> None:
    """Record that a way of a bot was made again from files, so it contains no rows of an archive any more."""
    if marks_of(way):
        with output_errors(way.parent):
            _write(way, [])


def is_in_training(way: Path) -> bool:
    """Return whether an unfinished training of a way is in the work folder of the bot."""
    return (way.parent / TRAINING / way.name).is_dir()


def marks_of(way: Path) -> list[Mark]:
    """Return the marks of the archives from which a way of a bot learned; [] if there are none."""
    with contextlib.suppress(OSError, DataError):
        found = atomic.read_json(way.parent / _FILE).get(way.name)
        return [mark for mark in map(Mark.parse, map(str, found)) if mark] if isinstance(found, list) else []
    return []


def _restore(way: Path, before: Sequence[Mark], is_new: bool) -> None:
    """Write the earlier marks of a way again. Remove the folder of the bot if it is new and has nothing else."""
    _write(way, before)
    if is_new and [file.name for file in way.parent.iterdir()] == [_FILE]:
        (way.parent / _FILE).unlink()
        way.parent.rmdir()


def _write(way: Path, marks: Iterable[Mark]) -> None:
    """Write the marks of a way. Another run may write those of the other way at the same time."""
    file = way.parent / _FILE
    with lock_folder(way.parent):
        plain = {**atomic.read_json(file), _FORMAT: _VERSION, way.name: list(dict.fromkeys(map(str, marks)))}
        atomic.write_json(file, plain)
