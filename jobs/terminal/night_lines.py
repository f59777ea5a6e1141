"""Prints the lines of `emojob nightly`: the plan of a nightly run, or its summary and alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from emojob.jobs.terminal.text import plain

if TYPE_CHECKING:
    from emojob.pipeline.nightly.outcome import Night, Plan


def print_plan(plan: Plan) -> None:
    """Print the inputs by state, and the names of the inputs that the nightly run would score."""
    click.echo(f"night of {plan.day}")
    for state, names in plan.inputs.items():
        click.echo(f"  {state}: {len(names):,}")
        if state != "complete":
            for name in names:
                click.echo(f"    {plain(name)}")
    if plan.too_old_rows:
        click.echo(f"  old rows to remove: {plan.too_old_rows:,}")


def print_night(night: Night, quiet: bool) -> None:
    """Print a summary line; on standard error, a line for each input that failed and for each alarm.

    Args:
        night: The result of the nightly run.
        quiet: Do not print the summary.
    """
    for name, why in night.failed.items():
        click.echo(f"emojob: left out: {plain(why if name in why else f'{name}: {why}')}", err=True)
    for check in night.drift.alarms if night.drift else ():
        before = "" if check.before is None else f", before {check.before:.3g}"
        click.echo(
            f"emojob: drift on {night.day}: {check.name} {check.value:.3g}{before}, limit {check.limit:.3g}", err=True
        )
    if not quiet:
        click.echo(f"{night.day}: {'; '.join(_facts(night))}")


def _facts(night: Night) -> list[str]:
    rows = sum(one.rows for one in night.scored)
    facts = [f"{len(night.scored)} of {night.inputs} inputs scored, {rows:,} rows"]
    others = sorted({f"{one.was} of {one.day}" for one in night.scored if one.was != "new"})
    facts += [", ".join(others)] if others else []
    facts += [f"{len(night.failed)} left out"] if night.failed else []
    facts += [f"{night.removed_rows:,} old rows removed"] if night.removed_rows else []
    facts += [f"{night.counts.labelled:,} labelled on the day"]
    if night.drift:
        alarms = ", ".join(check.name for check in night.drift.alarms)
        facts += [f"drift: {alarms or ('none' if night.drift.checks else 'not judged, ' + night.drift.why)}"]
    facts += [f"wrote {plain(', '.join(str(file) for file in night.written))}"] if night.written else []
    return facts
