"""Every error that emojob raises on purpose, and the exit code each one ends in.

    EmojobError                    1   an internal error
    |-- InputError                 2   the user's input, options or configuration
    |   |-- OptionError                an option's value
    |   |-- DataError               an input that is unreadable or not what it should be
    |   |   |-- NothingFound             there is no such input
    |   |   `-- ColumnError              a column that is missing, ambiguous, of a wrong type or in the way
    |   |-- ModelError                 a model or tokenizer that cannot be used
    |   `-- OutputError                an output folder that is not ours, or was made with another model
    |-- StorageError               1   disk full, no right to write: the same command goes on later
    |-- WorkerError                1   a process that labels is gone, or failed: the same command goes on
    |-- BusyError                 75   another run holds the output
    `-- Interrupted              130   stopped by Ctrl-C or SIGTERM: the same command goes on later

A message is one line: what is wrong, the value, what would be right, the next step.
"""

from __future__ import annotations

import os
import traceback
from typing import ClassVar


class EmojobError(Exception):
    """A fault of emojob's own."""

    exit_code: ClassVar[int] = 1


class InputError(EmojobError):
    """The user's input, options or configuration."""

    exit_code = 2


class OptionError(InputError):
    """An option's value."""


def name_too_long(error: OSError) -> OptionError:
    """What an error of ENAMETOOLONG tells the user."""
    name = os.fsdecode(error.filename or "a name")
    return OptionError(
        f"{name if len(name) < 60 else name[:59] + '…'} is too long: a name in a folder may have 255 bytes (85 letters "
        "of Hangul), all of a path 4,095; give a shorter one"
    )


class DataError(InputError):
    """An input that is unreadable or not what it should be."""


class NothingFound(DataError):
    """There is no such input."""


class ColumnError(DataError):
    """A column that is missing, ambiguous, of a wrong type or in the way."""


class ModelError(InputError):
    """A model or tokenizer that cannot be used."""


class OutputError(InputError):
    """An output folder that is not ours, or was made with another model."""


class StorageError(EmojobError):
    """Disk full or no right to write; nothing is lost, the same command goes on later."""


class WorkerError(EmojobError):
    """A process that labels is gone, or failed."""


def internal_error(error: Exception, where: str) -> WorkerError:
    """The error that another process is told of an internal error, such as "in the process of device 1"."""
    told = WorkerError(
        f"an internal error {where} ({type(error).__name__}): run the same command with --debug to see it"
    )
    told.add_note("".join(traceback.format_exception(error)))
    return told


class BusyError(EmojobError):
    """Another run holds the output."""

    exit_code = 75


class Interrupted(EmojobError):
    """Stopped by Ctrl-C or SIGTERM; the same command goes on later."""

    exit_code = 130


#: Exit code of a night that is done, but raised a drift alarm.
DRIFT = 4

#: Exit code of a run that is done, but rejected more rows than --max-rejects allows.
TOO_MANY_REJECTS = 3
