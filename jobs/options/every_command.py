"""Defines click settings, options of several commands such as --debug, and an option type for paths and URLs."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import click

from emojob.jobs.options.language import system_language
from emojob.pipeline.storage.paths import AnyPath, parse_path
from emojob.schemas.errors import OptionError
from emojob.schemas.options import DATE_ORDERS, LANGUAGES

#: Click settings of every command. Environment variables can set options: EMOJOB_DEVICE sets --device.
SETTINGS: dict[str, Any] = {"auto_envvar_prefix": "EMOJOB", "help_option_names": ["-h", "--help"]}


class AnyPathType(click.ParamType[Any]):
    """Option type for a local path, an object store URL, or "-"."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> AnyPath:
        """Parse the value as a path or URL. Raises OptionError for an invalid URL."""
        return parse_path(value) if isinstance(value, str) else value


ANY_PATH = AnyPathType()


def parse_day(option: str, text: str | None) -> datetime.date | None:
    """Parse the value of an option as a date; None if the option is not given.

    Args:
        option: Name of the option, for the message.
        text: Value of the option.

    Raises:
        OptionError: The value is not a date.
    """
    try:
        return None if text is None else datetime.date.fromisoformat(text)
    except ValueError:
        raise OptionError(f"{option} {text!r} is not a date; give a date such as 2026-11-24") from None


def debug_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the hidden option --debug to a command. `main` reads --debug from the arguments."""
    return click.option("--debug", is_flag=True, expose_value=False, hidden=True)(command)


def date_order_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option --date-order to a command."""
    option = click.option(
        "--date-order",
        type=click.Choice(DATE_ORDERS),
        help="Order of year, month and day in dates such as 03/04/26.  [default: the order that fits the whole column]",
    )
    return option(command)


def language_option(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that adds the option --language to a command.

    Args:
        what: The texts in this language, for the help, such as "the HTML page and the tables".
    """
    return click.option(
        "--language", type=click.Choice(LANGUAGES), default=system_language,
        help=f"Language of {what}.  [default: ko if LC_ALL or LANG is Korean, otherwise en]",
    )  # fmt: skip


def force_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option --force to a command that writes files at paths that the user chose."""
    return click.option("--force", is_flag=True, help="Replace an existing file that emojob did not write.")(command)


def name_environment_variables(command: click.Command) -> None:
    """Let each option be set by an environment variable with the option's name, such as EMOJOB_HASH_COLUMN.

    The variable with the name of the Python parameter (EMOJOB_HASH_COLUMNS, the default of click) also works.
    """
    for option in command.params:
        if isinstance(option, click.Option) and option.name and option.expose_value and not option.envvar:
            names = [one.removeprefix("--") for one in option.opts if one.startswith("--")]
            option.envvar = [
                f"EMOJOB_{name.replace('-', '_').upper()}" for name in dict.fromkeys([*names, option.name])
            ]
