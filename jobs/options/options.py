"""Options that several commands share; their defaults come from schemas/options.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from emojob.pipeline.storage.paths import AnyPath, parse_path
from emojob.schemas.options import CONTEXTS, DEVICES, ENGINES, PRECISIONS, ModelOptions

#: Every option has an environment variable: EMOJOB_ and its name, the same for all commands.
SETTINGS: dict[str, Any] = {"auto_envvar_prefix": "EMOJOB", "help_option_names": ["-h", "--help"]}

_DEFAULT = ModelOptions()

_MODEL_OPTIONS = (
    click.option(
        "--model", metavar="M", help="Model folder, or a name on the Hugging Face hub.  [default: the package's]"
    ),
    click.option("--device", type=click.Choice(DEVICES), default=_DEFAULT.device, show_default=True),
    click.option("--engine", type=click.Choice(ENGINES), default=_DEFAULT.engine, show_default=True),
    click.option("--precision", type=click.Choice(PRECISIONS), default=_DEFAULT.precision, show_default=True),
    click.option(
        "--max-length", type=int, default=_DEFAULT.max_length, show_default=True, help="Tokens of a text that are read."
    ),
    click.option(
        "--batch-tokens", type=int, metavar="N", help="Tokens in one forward pass.  [default: suits the device]"
    ),
    click.option(
        "--context",
        type=click.Choice(CONTEXTS),
        help="What the model reads beside a text: nothing, or the previous utterance of its conversation.  "
        "[default: what it was trained for]",
    ),
    click.option(
        "--calibration", metavar="FILE", help="Archive with texts to calibrate int8 on.  [default: the sample's]"
    ),
)


class AnyPathType(click.ParamType[Any]):
    """A path, or the URL of a place in a store; - stays a path."""

    name = "place"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> AnyPath:
        """As `parse_path`, whose errors go through."""
        return parse_path(value) if isinstance(value, str) else value


ANY_PATH = AnyPathType()


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that make a `ModelOptions`, and --debug."""
    for option in reversed(_MODEL_OPTIONS):
        command = option(command)
    return debug_option(command)


def debug_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --debug, which `main` looks for."""
    return click.option("--debug", is_flag=True, expose_value=False, hidden=True)(command)


def take_model_options(given: dict[str, Any]) -> ModelOptions:
    """Take the model's options out of a command's; raises OptionError where one has a wrong value."""
    return ModelOptions(**{name: given.pop(name) for name in ModelOptions.__dataclass_fields__})
