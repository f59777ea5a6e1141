"""Prints the output of `emojob nightly`: a plan, or a summary and alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from emojob.jobs.terminal.taken_lines import not_taken_line
from emojob.jobs.terminal.text import plain
from emojob.schemas.messages import counted

if TYPE_CHECKING:
    from emojob.pipeline.nightly.outcome import Night, Plan

_MOST_SHOWN = 3  # maximum number of inputs in a line


def print_plan(plan: Plan) -> None:
    """Print the number of new, changed and complete inputs, and the names of the new and changed inputs."""
    from emojob.pipeline.nightly.config import in_settings

    click.echo(f"nightly run of {plan.day}")
    for state, names in plan.inputs.items():
        click.echo(f"  {state}: {len(names):,}")
        if state != "complete":
            for name in names:
                click.echo(f"    {plain(name)}")
    if plan.too_old_rows:
        click.echo(f"  old rows to remove: {plan.too_old_rows:,}")
    if plan.roles:
        click.echo(f"  columns: {plain(in_settings(plan.roles.line))}")
        if plan.roles.time_note:
            click.echo(f"  times: {plain(in_settings(plan.roles.time_note))}")
    for note in plan.notes:
        click.echo(f"emojob: {plain(note)}", err=True)
    if plan.missing.line:
        click.echo(f"emojob: {plain(plan.missing.line)}", err=True)
    _print_failed(plan.failed)


def print_night(night: Night, quiet: bool) -> None:
    """Print a summary on standard output; and failed and missing inputs, alarms and files to delete on standard error.

    Args:
        night: The result of the nightly run.
        quiet: Whether to omit the summary.
    """
    from emojob.pipeline.nightly.alarm_texts import alarm_line
    from emojob.pipeline.nightly.config import in_settings
    from emojob.pipeline.running.unlabelled import empty_notes

    _print_failed(night.failed)
    for line in [*night.problems, *empty_notes(night.unlabelled), *filter(None, [night.missing.line])]:
        click.echo(f"emojob: {plain(line)}", err=True)
    if night.without_day:
        shown = ", ".join(plain(name) for name in night.without_day[:_MOST_SHOWN])
        more = f" and {len(night.without_day) - _MOST_SHOWN:,} more" if len(night.without_day) > _MOST_SHOWN else ""
        click.echo(
            f"emojob: {counted(len(night.without_day), 'input')} of the archive without a day, as input.files does "
            f"not match: {shown}{more}; keep_days keeps these rows and drift does not count them: correct input.files, "
            "or remove the rows with `emojob forget`",
            err=True,
        )
    for check in night.drift.alarms if night.drift else ():
        click.echo(f"emojob: {plain(alarm_line(night.day, check, night.language))}", err=True)
    for one in night.taken.left:
        click.echo(f"emojob: {not_taken_line(one)}", err=True)
    if not quiet:
        for note in night.notes:
            click.echo(f"emojob: {plain(in_settings(note))}", err=True)
        click.echo(f"{night.day}: {'; '.join(_facts(night))}")


def _print_failed(failed: dict[str, str]) -> None:
    for name, why in failed.items():
        click.echo(f"emojob: an input was not scored: {plain(why if name in why else f'{name} ({why})')}", err=True)


def _facts(night: Night) -> list[str]:
    rows = sum(one.rows for one in night.scored)
    facts = [f"{len(night.scored)} of {night.inputs} inputs scored, {rows:,} rows"]
    others = sorted({f"{one.was} input of {one.day}" for one in night.scored if one.was != "new"})
    facts += [", ".join(others)] if others else []
    facts += [f"{len(night.failed)} not scored because of an error"] if night.failed else []
    facts += [f"{night.removed_rows:,} rows removed because they are too old"] if night.removed_rows else []
    facts += (
        [f"{counted(len(night.taken.removed), 'file')} deleted that showed these rows"] if night.taken.removed else []
    )
    facts += [f"{night.counts.labelled:,} labelled rows of this date"]
    if night.drift:
        alarms = ", ".join(check.name for check in night.drift.alarms)
        chance = ", ".join(check.name for check in night.drift.checks if check.by_chance)
        none = f"none ({chance}: the change may be chance, because the rows are few or vary much)" if chance else "none"
        facts += [f"drift: {alarms or (none if night.drift.checks else 'not checked, ' + night.drift.why)}"]
    facts += [f"wrote {plain(', '.join(str(file) for file in night.written))}"] if night.written else []
    return facts
