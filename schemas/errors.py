"""Defines the exceptions of emojob.

The number after a class is the exit code. A class without a number has the exit code of the parent class.

    EmojobError                    1   base class of all exceptions of emojob
    |-- InputError                 2   an input, an option or a configuration file is wrong
    |   |-- OptionError                an option has a wrong value
    |   |-- DataError                  an input is unreadable or malformed
    |   |   |-- NothingFound             an input does not exist
    |   |   `-- ColumnError              a column is missing, ambiguous or not allowed
    |   |-- ModelError                 a model or tokenizer cannot be used
    |   `-- OutputError                an output cannot be used, for example because another model was used
    |-- StorageError               1   the disk is full or not writable; run the same command again later to continue
    |-- WorkerError                1   a worker process ended or failed; run the same command again to continue
    |-- BusyError                 75   another run has locked the output
    |   `-- ChangedError               another command changed the archive while this command read it
    `-- Interrupted              130   Ctrl-C or SIGTERM stopped the run; run the same command again to continue

A message is one line. It shows the problem, the wrong value, the right values, and the next step.
"""

from __future__ import annotations

import os
import traceback
from typing import ClassVar


class EmojobError(Exception):
    """Base class of all exceptions of emojob."""

    exit_code: ClassVar[int] = 1


class InputError(EmojobError):
    """An input, an option or a configuration file is wrong."""

    exit_code = 2


class OptionError(InputError):
    """An option has a wrong value."""


def name_too_long(error: OSError) -> OptionError:
    """Return an OptionError for an OSError with errno ENAMETOOLONG."""
    name = os.fsdecode(error.filename or "a path")
    return OptionError(
        f"{name if len(name) < 60 else name[:59] + '…'} is too long: the limit is 255 bytes (85 Hangul syllables) "
        "for a file name, and 4,095 bytes for a path; give a shorter path"
    )


class DataError(InputError):
    """An input is unreadable or malformed."""


class NothingFound(DataError):
    """An input does not exist."""


class ColumnError(DataError):
    """A column is missing or ambiguous, or has a forbidden type or name."""


class ModelError(InputError):
    """A model or tokenizer cannot be used."""


class OutputError(InputError):
    """An output cannot be used, for example because the output was written with another model."""


class StorageError(EmojobError):
    """The disk is full or not writable. No completed work is lost. To continue, run the same command again later."""


class WorkerError(EmojobError):
    """A worker process ended or failed. To continue, run the same command again."""


def internal_error(error: Exception, where: str) -> WorkerError:
    """Return a WorkerError for an unexpected exception in a worker process.

    Args:
        error: The exception. --debug shows the traceback.
        where: Place of the error, for example "in the worker process of GPU 1".
    """
    reported = WorkerError(
        f"an internal error occurred {where} ({type(error).__name__}): run the same command again with --debug, and "
        "report the traceback to the developers of emojob"
    )
    reported.add_note("".join(traceback.format_exception(error)))
    return reported


class BusyError(EmojobError):
    """Another run has locked the output. Wait until the other run has ended."""

    exit_code = 75


class ChangedError(BusyError):
    """Another command changed the archive while this command read it. Run the same command again."""


class Interrupted(EmojobError):
    """Ctrl-C or SIGTERM stopped the run. To continue, run the same command again."""

    exit_code = 130


#: Exit code of a successful nightly run with a drift alarm.
DRIFT = 4

#: Exit code of a finished run with more rejected rows than --max-rejects allows.
TOO_MANY_REJECTS = 3

#: Exit code of a finished command that could not remove a file which may show removed rows.
NOT_TAKEN = 3

#: Exit code of `emojob forget` if no rows match the condition, and no file is left to delete.
NO_ROWS = 5
