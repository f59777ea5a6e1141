"""What every command has: its settings, the option --debug, and the type of paths that may be URLs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from emojob.pipeline.storage.paths import AnyPath, parse_path

#: Every option has an environment variable: EMOJOB_ and its name, the same for all commands.
SETTINGS: dict[str, Any] = {"auto_envvar_prefix": "EMOJOB", "help_option_names": ["-h", "--help"]}


class AnyPathType(click.ParamType[Any]):
    """A local path or the URL of an object; "-" is a path too."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> AnyPath:
        """Return the path. Raises what `parse_path` raises."""
        return parse_path(value) if isinstance(value, str) else value


ANY_PATH = AnyPathType()


def debug_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --debug to a command; `main` looks for it among the arguments."""
    return click.option("--debug", is_flag=True, expose_value=False, hidden=True)(command)
