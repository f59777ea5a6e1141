"""Defines the options that select a model, engine and device. `ModelOptions` has the default values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from emojob.jobs.options.every_command import debug_option
from emojob.schemas.options import CONTEXTS, DEVICES, ENGINES, PRECISIONS, ModelOptions

_DEFAULT = ModelOptions()

_MODEL_OPTIONS = (
    click.option("--model", metavar="M", help="Model folder, or a name on the Hugging Face hub.  [default: built in]"),
    click.option(
        "--device", type=click.Choice(DEVICES), default=_DEFAULT.device, show_default=True,
        help="Processor or GPU that runs the model.",
    ),
    click.option(
        "--engine", type=click.Choice(ENGINES), default=_DEFAULT.engine, show_default=True,
        help="Library that runs the model, or ray for a cluster.",
    ),
    click.option(
        "--precision", type=click.Choice(PRECISIONS), default=_DEFAULT.precision, show_default=True,
        help="Number format that the model computes in.",
    ),
    click.option(
        "--max-length", type=int, default=_DEFAULT.max_length, show_default=True,
        help="Tokens the model reads of a text; a longer text is truncated.",
    ),
    click.option(
        "--batch-tokens", type=int, metavar="N", help="Tokens in one forward pass.  [default: fits the device]"
    ),
    click.option(
        "--context", type=click.Choice(CONTEXTS),
        help="Also read the previous utterance of the conversation.  [default: as the model was trained]",
    ),
    click.option("--calibration", metavar="FILE", help="Dataset to calibrate int8 on.  [default: the sample]"),
)  # fmt: skip


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `ModelOptions` to a command, and --debug."""
    for option in reversed(_MODEL_OPTIONS):
        command = option(command)
    return debug_option(command)


def take_model_options(given: dict[str, Any]) -> ModelOptions:
    """Remove the options of `ModelOptions` from a command's options and return them.

    Raises:
        OptionError: A value is not allowed.
    """
    return ModelOptions(**{name: given.pop(name) for name in ModelOptions.__dataclass_fields__})
