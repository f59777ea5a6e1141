"""Defines the program `emojob`. Heavy libraries are imported only when a command runs, so --help is fast."""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from typing import Any, NoReturn

import click

from emojob.jobs.commands.archive.forget import forget
from emojob.jobs.commands.archive.report import report
from emojob.jobs.commands.archive.sample import sample
from emojob.jobs.commands.archive.sql import sql
from emojob.jobs.commands.models.convert import convert
from emojob.jobs.commands.models.evaluate import evaluate
from emojob.jobs.commands.models.train import train
from emojob.jobs.commands.replies.chat import chat
from emojob.jobs.commands.replies.reply import reply
from emojob.jobs.commands.replies.train_replies import train_replies
from emojob.jobs.commands.scoring.bench import bench
from emojob.jobs.commands.scoring.doctor import doctor
from emojob.jobs.commands.scoring.nightly import nightly
from emojob.jobs.commands.scoring.predict import predict
from emojob.jobs.commands.scoring.score import score
from emojob.jobs.options.every_command import name_environment_variables
from emojob.jobs.terminal.text import plain
from emojob.pipeline.system.hardware import return_freed_memory
from emojob.schemas.errors import EmojobError, OptionError, name_too_long


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="emojob", message="emojob %(version)s")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
def cli() -> None:
    """Label millions of lines of Korean dialogue with emotions.

    Start with: emojob score --sample
    """


_COMMANDS = (
    score, predict, report, sql, nightly, forget, train, sample, evaluate, convert, train_replies, reply, chat, bench,
    doctor,
)  # fmt: skip
for command in _COMMANDS:
    name_environment_variables(command)
    cli.add_command(command)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command and exit. An error is printed as one line on standard error.

    Args:
        arguments: Command-line arguments, without the program name. If None, sys.argv[1:] is used.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):  # the encoding of a terminal may lack Korean characters
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    return_freed_memory()
    debug = "--debug" in arguments or bool(os.environ.get("EMOJOB_DEBUG"))
    try:
        code: Any = cli.main(arguments, prog_name="emojob", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as help_wanted:
        click.echo(help_wanted.format_message())
        code = 2
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "emojob"
        code = _fail(f"{' '.join(error.format_message().split())} See `{where} --help`.", 2)
    except click.ClickException as error:
        code = _fail(error.format_message(), 2)
    except (click.Abort, KeyboardInterrupt):
        code = _fail("interrupted", 130)
    except EmojobError as error:
        _show_traceback(debug)
        code = _fail(str(error), error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # prevents an error message at exit
        code = 0
    except OSError as error:
        _show_traceback(debug)
        if error.errno == errno.ENAMETOOLONG:
            code = _fail(str(name_too_long(error)), OptionError.exit_code)
        else:
            why = f"cannot write the output: {error.strerror or error}"
            code = _fail(f"{why}; check the disk space and the permissions, or add --debug to see the traceback", 1)
    except Exception as error:
        _show_traceback(debug)
        # print only the error type, because the message may contain dialogue
        name = type(error).__name__
        advice = "run the same command again with --debug, and report the traceback to the developers of emojob"
        code = _fail(f"internal error ({name}): {advice}", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _show_traceback(debug: bool) -> None:
    """Print the traceback of the current error if --debug was given."""
    if debug:
        traceback.print_exc()


def _fail(message: str, code: int) -> int:
    click.echo(f"emojob: {plain(message)}", err=True)
    return code
