"""`emojob nightly`: one night of the job, from cron or by hand."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emojob.jobs.options.every_command import SETTINGS, debug_option
from emojob.jobs.options.output_files import check_place
from emojob.jobs.terminal.text import plain
from emojob.pipeline.storage.paths import output_errors
from emojob.schemas.errors import DRIFT, TOO_MANY_REJECTS, InputError, OptionError

if TYPE_CHECKING:
    from emojob.pipeline.nightly.outcome import Night, Plan


@click.command(context_settings=SETTINGS, short_help="One night: score what is new, look for drift, make the report.")
@click.argument("config", metavar="CONFIG.toml", type=click.Path(path_type=Path))
@click.option("--date", metavar="YYYY-MM-DD", help="The night's day.  [default: yesterday]")
@click.option("--init", is_flag=True, help="Write a configuration to begin with to CONFIG.toml.")
@click.option("--check", is_flag=True, help="Check CONFIG.toml and say what would be done.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors and alarms.")
@debug_option
def nightly(config: Path, date: str | None, init: bool, check: bool, quiet: bool) -> int:
    """Do one night as CONFIG.toml says. Twice the same night changes nothing.

    Exit codes: 0 done; 2 an input could not be read (the others are done) or the configuration is wrong; 3 more rows
    rejected than allowed; 4 a drift alarm; 75 another night of the same archive is under way; 130 interrupted.
    """
    if init:
        _init(config)
        return 0
    from emojob.pipeline.nightly.config import read_config
    from emojob.pipeline.nightly.night import plan_night

    read = read_config(config)
    day = _day(date)
    if check:
        _print_plan(plan_night(read, day))
        return 0
    from emojob.jobs.terminal.scoring_progress import make_log
    from emojob.pipeline.nightly.monitoring import log_night, write_metrics
    from emojob.pipeline.nightly.night import run_night
    from emojob.pipeline.system.prefetch import Stages

    log, stages = make_log("text", quiet), Stages()
    with log.running(stages):
        night = run_night(read, day, log.progress, log.note, stages)
    for place, write in (
        (read.local_path(read.monitoring.log), log_night),
        (read.local_path(read.monitoring.prometheus), write_metrics),
    ):
        if place:
            with output_errors(place):
                write(place, night)
    _print_night(night, quiet)
    rejected = night.rejected > read.score.options.rejects_allowed(sum(one.rows for one in night.scored))
    if night.failed:
        return InputError.exit_code
    if rejected:
        return TOO_MANY_REJECTS
    return DRIFT if night.drift and night.drift.alarms else 0


def _init(config: Path) -> None:
    from emojob.pipeline.nightly.config import template
    from emojob.pipeline.storage.atomic import write_bytes

    if config.exists():
        raise OptionError(f"{config} exists; give another name, or remove it first")
    check_place("--init", config, "night.toml")
    with output_errors(config):
        write_bytes(config, template().encode())
    click.echo(f"{plain(str(config))}: fill it in, then: emojob nightly {plain(str(config))} --check")


def _day(date: str | None) -> datetime.date:
    if date is None:
        return datetime.date.today() - datetime.timedelta(days=1)
    try:
        return datetime.date.fromisoformat(date)
    except ValueError:
        raise OptionError(f"--date {date!r} is no day; give one such as 2026-11-24") from None


def _print_plan(plan: Plan) -> None:
    click.echo(f"night of {plan.day}")
    for what, names in plan.inputs.items():
        click.echo(f"  {what}: {len(names):,}")
        if what != "complete":
            for name in names:
                click.echo(f"    {plain(name)}")
    if plan.too_old_rows:
        click.echo(f"  rows to be removed, too old: {plan.too_old_rows:,}")


def _print_night(night: Night, quiet: bool) -> None:
    """One line of summary, and one for each input that failed and each alarm."""
    for name, why in night.failed.items():
        click.echo(f"emojob: left out: {plain(why if name in why else f'{name}: {why}')}", err=True)
    for check in night.drift.alarms if night.drift else ():
        before = "" if check.before is None else f", before {check.before:.3g}"
        click.echo(
            f"emojob: drift on {night.day}: {check.name} {check.value:.3g}{before}, limit {check.limit:.3g}", err=True
        )
    if quiet:
        return
    rows = sum(one.rows for one in night.scored)
    parts = [f"{len(night.scored)} of {night.inputs} inputs scored, {rows:,} rows"]
    others = sorted({f"{one.was} of {one.day}" for one in night.scored if one.was != "new"})
    parts += [", ".join(others)] if others else []
    parts += [f"{len(night.failed)} left out"] if night.failed else []
    parts += [f"{night.removed_rows:,} old rows removed"] if night.removed_rows else []
    parts += [f"{night.counts.labelled:,} labelled on the day"]
    if night.drift:
        alarms = ", ".join(check.name for check in night.drift.alarms)
        parts += [f"drift: {alarms or ('none' if night.drift.checks else 'not judged, ' + night.drift.why)}"]
    parts += [f"wrote {plain(', '.join(str(place) for place in night.written))}"] if night.written else []
    click.echo(f"{night.day}: {'; '.join(parts)}")
