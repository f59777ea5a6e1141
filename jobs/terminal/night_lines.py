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
    from emojob.pipeline.report.words import words_of

    report, words = words_of(plan.language), words_of(plan.language)["plan"]
    click.echo(words["title"].format(day=plan.day))
    for state, names in plan.inputs.items():
        click.echo(f"  {words[state]}: {len(names):,}")
        if state != "complete":
            for name in names:
                click.echo(f"    {plain(name)}")
    if plan.too_old_rows:
        click.echo(f"  {words['too_old']}: {plan.too_old_rows:,}")
    if plan.roles:
        found = [
            f"{report[f'role_{role}']} {name or words['no_role'].format(setting=f'score.{role}_column')}"
            for role, name in plan.roles.shown.items()
        ]
        click.echo(f"  {words['columns']}: {plain(', '.join(found))}")
        if plan.roles.time_note:
            click.echo(f"  {words['times']}: {plain(in_settings(plan.roles.time_note))}")
    for note in plan.notes:
        click.echo(f"emojob: {plain(note)}", err=True)
    if plan.missing.line:
        click.echo(f"emojob: {plain(plan.missing.line)}", err=True)
    _print_failed(plan.failed, "would not be scored")


def print_night(night: Night, quiet: bool) -> None:
    """Print a summary on standard output; and failed and missing inputs, alarms and files to delete on standard error.

    Args:
        night: The result of the nightly run.
        quiet: Whether to omit the summary.
    """
    from emojob.pipeline.nightly.alarm_texts import alarm_line
    from emojob.pipeline.nightly.config import in_settings
    from emojob.pipeline.running.unlabelled import empty_notes

    _print_failed(night.failed, "was not scored")
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


def _print_failed(failed: dict[str, str], what: str) -> None:
    for name, why in failed.items():
        click.echo(f"emojob: an input {what}: {plain(why if name in why else f'{name} ({why})')}", err=True)


def _facts(night: Night) -> list[str]:
    from emojob.pipeline.report.words import words_of

    words = words_of(night.language)["night"]
    rows = sum(one.rows for one in night.scored)
    facts = [words["scored"].format(scored=len(night.scored), inputs=night.inputs, rows=f"{rows:,}")]
    for was in ("changed", "late"):
        days = sorted({one.day for one in night.scored if one.was == was})
        if len(days) > _MOST_SHOWN:
            shown = words["days"].format(first=days[0], last=days[-1], count=len(days))
        else:
            shown = ", ".join(map(str, days))
        facts += [words[was].format(days=shown)] if days else []
    facts += [words["rejected"].format(count=f"{night.rejected:,}")] if night.rejected else []
    counts = {"failed": len(night.failed), "removed": night.removed_rows, "deleted": len(night.taken.removed)}
    facts += [words[name].format(count=f"{count:,}") for name, count in counts.items() if count]
    facts += [words["labelled"].format(count=f"{night.counts.labelled:,}")]
    facts += [_drift(night)] if night.drift else []
    files = plain(", ".join(str(file) for file in night.written))
    facts += [words["wrote"].format(files=files)] if files else []
    return facts


def _drift(night: Night) -> str:
    from emojob.pipeline.nightly.alarm_texts import check_name
    from emojob.pipeline.report.words import words_of

    report, drift = words_of(night.language), night.drift
    words = report["night"]
    if drift is None or not drift.checks:
        reasons = {"no_rows": "drift_no_rows", "holiday": "drift_holiday"}
        why = drift.why if drift else ""
        if drift and night.language != "en":
            why = report[reasons.get(drift.reason, "drift_not_judged")].format(days=drift.days_before).rstrip(".")
        return str(words["drift"].format(what=words["not_checked"].format(why=why)))
    alarms, chance = (
        ", ".join(check_name(check, night.language) for check in checks)
        for checks in (drift.alarms, [check for check in drift.checks if check.by_chance])
    )
    none = words["by_chance"].format(checks=chance) if chance else words["none"]
    return str(words["drift"].format(what=alarms or none))
