"""Defines the options that select the model, the engine and the device. `ModelOptions` contains the defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from emojob.jobs.options.every_command import debug_option
from emojob.pipeline.models.model_names import check_model_name
from emojob.schemas.options import CONTEXTS, DEVICES, ENGINES, PRECISIONS, ModelOptions

_DEFAULT = ModelOptions()

_MODEL_OPTIONS = (
    click.option(
        "--model", metavar="M",
        help="Model folder, or a name on the Hugging Face hub; default: the built-in model.  "
        "[default: the built-in model]",
    ),
    click.option(
        "--device", type=click.Choice(DEVICES), default=_DEFAULT.device, show_default=True,
        help="Device that runs the model: processor (cpu) or GPU (cuda).",
    ),
    click.option(
        "--engine", type=click.Choice(ENGINES), default=_DEFAULT.engine, show_default=True,
        help="Library that runs the model (torch or openvino), or ray to run the model on a Ray cluster.",
    ),
    click.option(
        "--precision", type=click.Choice(PRECISIONS), default=_DEFAULT.precision, show_default=True,
        help="Number format of the model's computations.",
    ),
    click.option(
        "--max-length", type=int, default=_DEFAULT.max_length, show_default=True,
        help="Maximum number of tokens per text; longer texts are truncated.",
    ),
    click.option(
        "--batch-tokens", type=int, metavar="N",
        help="Maximum number of tokens in a batch.  [default: depends on the device]",
    ),
    click.option(
        "--context", type=click.Choice(CONTEXTS),
        help="`previous`: the model reads each text with the previous utterance. `none`: only the text.  "
        "[default: as in training]",
    ),
    click.option(
        "--calibration", metavar="FILE",
        help="Dataset for calibrating int8 precision.  [default: the built-in sample]",
    ),
    click.option(
        "--threshold", type=float, metavar="T",
        help="Probability at which a text carries a label, for a model with several labels a text.  "
        "[default: the thresholds of the model, else 0.5]",
    ),
)  # fmt: skip


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --debug and the options of `ModelOptions` to a command."""
    for option in reversed(_MODEL_OPTIONS):
        command = option(command)
    return debug_option(command)


def take_model_options(given: dict[str, Any]) -> ModelOptions:
    """Return the model options, and remove them from `given`.

    Raises:
        OptionError: A value is not allowed.
        ModelError: The model folder does not exist.
    """
    check_model_name(given["model"])
    return ModelOptions(**{name: given.pop(name) for name in ModelOptions.__dataclass_fields__})
