"""Defines `emojob nightly`, which labels the logs of one day. Usually, cron starts this command every night."""

from __future__ import annotations

import datetime
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emojob.jobs.options.every_command import SETTINGS, debug_option, parse_day
from emojob.jobs.options.language import system_language
from emojob.jobs.options.output_files import check_output_file
from emojob.jobs.terminal.night_lines import print_night, print_plan
from emojob.jobs.terminal.scoring_progress import make_log
from emojob.jobs.terminal.text import plain
from emojob.pipeline.storage.paths import output_errors
from emojob.schemas.errors import DRIFT, NOT_TAKEN, TOO_MANY_REJECTS, InputError, OptionError

if TYPE_CHECKING:
    from emojob.pipeline.nightly.missing import MissingFiles
    from emojob.pipeline.nightly.outcome import Night


@click.command(context_settings=SETTINGS, short_help="Label the logs of a day, check for drift, and write the report.")
@click.argument("config", metavar="CONFIG.toml", type=click.Path(path_type=Path))
@click.option("--date", metavar="YYYY-MM-DD", help="Day of the logs to label.  [default: yesterday]")
@click.option("--init", is_flag=True, help="Write an example configuration to CONFIG.toml.")
@click.option("--check", is_flag=True, help="Check CONFIG.toml and print what the nightly run would do.")
@click.option("--quiet", is_flag=True, help="Print errors and alarms only.")
@debug_option
def nightly(config: Path, date: str | None, init: bool, check: bool, quiet: bool) -> int:
    """Label the logs of one day: score new and changed input files, check for drift, and write the report.

    \b
    Exit codes:
    0    The run succeeded.
    2    The configuration is wrong, no input file matches, or an input file could not be read (the others were scored).
    3    More rows were rejected than max_rejects allows, no row of an input was labelled because rows were rejected, or
         a file may show rows that keep_days removed.
    4    Drift alarm: the rows of this date differ too much from earlier days, or a file of this date is missing.
    75   The archive is locked by another nightly run.
    130  The run was interrupted.
    """
    if init:
        _write_example(config)
        return 0
    from emojob.pipeline.nightly.config import read_config

    settings, day = read_config(config), _day(date)
    from emojob.pipeline.nightly.clock import check_clock
    from emojob.pipeline.nightly.monitoring import record_night
    from emojob.pipeline.nightly.night import plan_night, run_night
    from emojob.pipeline.system.prefetch import Stages

    if date is None:
        check_clock(settings, day)
    if check:
        plan = plan_night(settings, day)
        print_plan(plan)
        return InputError.exit_code if plan.failed else _missing_code(plan.missing)
    log, stages = make_log("text", quiet), Stages()
    with log.running(stages):
        night = run_night(settings, day, log.progress, log.note, stages, is_from_clock=date is None)
    record_night(settings, night)
    print_night(night, quiet)
    return _exit_code(night)


def _write_example(config: Path) -> None:
    from emojob.pipeline.nightly.config import template
    from emojob.pipeline.storage.atomic import write_bytes

    if config.exists():
        raise OptionError(f"{config} already exists; give a new file name, or delete the file")
    check_output_file("--init", config, "night.toml")
    with output_errors(config):
        write_bytes(config, template(system_language()).encode())
    click.echo(f"wrote {plain(str(config))}: edit this file, then run: emojob nightly {plain(str(config))} --check")
    click.echo(f"For cron, add this line with `crontab -e`: {plain(_crontab_line(config))}")


def _crontab_line(config: Path) -> str:
    """Return a line for crontab with absolute paths, because cron does not activate the virtual environment."""
    program = Path(sys.executable).parent / "emojob"
    command = [str(program)] if program.is_file() else [sys.executable, "-m", "emojob"]
    line = shlex.join([*command, "nightly", str(config.resolve()), "--quiet"])
    mail = 'mail -s "emojob: exit code $?" ops@example.com < /dev/null'
    return f"15 3 * * * {line} || {mail}".replace("%", "\\%")  # cron reads a plain % as the end of the line


def _day(date: str | None) -> datetime.date:
    return parse_day("--date", date) or datetime.date.today() - datetime.timedelta(days=1)


def _exit_code(night: Night) -> int:
    missing = _missing_code(night.missing)
    if night.failed or missing == InputError.exit_code:
        return InputError.exit_code
    if night.problems:
        return TOO_MANY_REJECTS
    if missing or (night.drift and night.drift.alarms):
        return DRIFT
    return NOT_TAKEN if night.taken.left else 0


def _missing_code(missing: MissingFiles) -> int:
    """Return the exit code for missing files; 0 if no file is missing."""
    return {"all": InputError.exit_code, "day": DRIFT}.get(missing.what.value, 0)
