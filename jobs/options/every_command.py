"""Defines what every command has: its click settings, the option --debug, and the type of paths that may be URLs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from emojob.pipeline.storage.paths import AnyPath, parse_path

#: Every option can be set by an environment variable, EMOJOB_ and the name of the option, in all commands.
SETTINGS: dict[str, Any] = {"auto_envvar_prefix": "EMOJOB", "help_option_names": ["-h", "--help"]}


class AnyPathType(click.ParamType[Any]):
    """The type of an option that is a local path or the URL of an object; "-" is also a path."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> AnyPath:
        """Return the path. Raises as `parse_path`."""
        return parse_path(value) if isinstance(value, str) else value


ANY_PATH = AnyPathType()


def debug_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --debug to a command; `main` looks for it among the arguments."""
    return click.option("--debug", is_flag=True, expose_value=False, hidden=True)(command)
