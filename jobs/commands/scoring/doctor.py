"""Defines `emojob doctor`, which shows the hardware and the engine that a run would use."""

from __future__ import annotations

import json
from typing import Any

import click

from emojob.jobs.options.every_command import SETTINGS
from emojob.jobs.options.model_options import model_options, take_model_options


@click.command(context_settings=SETTINGS, short_help="Show the hardware, and the engine that a run would use.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@model_options
def doctor(as_json: bool, **given: Any) -> None:
    """Show the hardware, the software, and the engine and precision that a run would use."""
    options = take_model_options(given)
    from emojob.pipeline.inference.doctor import examine

    facts = examine(options)
    if as_json:
        click.echo(json.dumps(facts, ensure_ascii=False))
        return
    from emojob.jobs.terminal.machine_tables import print_machine

    print_machine(facts)
