"""Checks the name of a model before large libraries are imported."""

from __future__ import annotations

import re

from emojob.pipeline.storage.paths import is_object, parse_path
from emojob.schemas.errors import ModelError

_HUB_NAME = re.compile(r"(?:\w[\w.-]*/)?\w[\w.-]*")  # NAME or OWNER/NAME


def check_model_name(name: str | None, option: str = "--model") -> None:
    """Check that a model folder exists, if the name can only be a path. Other names may be on the Hugging Face hub.

    Args:
        name: A folder, a URL of an object store, or a name on the Hugging Face hub; None for the default model.
        option: The command line option that names the model, for error messages.

    Raises:
        ModelError: The folder does not exist.
    """
    if name is None or is_object(path := parse_path(name)) or path.exists():
        return
    if not _HUB_NAME.fullmatch(name):
        raise no_such_model(name, option)


def no_such_model(name: str, option: str) -> ModelError:
    """Return the error about a name that is neither a folder nor a name on the Hugging Face hub.

    Args:
        name: The name.
        option: The command line option that names the model.
    """
    return ModelError(
        f"{option} {name} does not exist: give an existing model folder, or a name on the Hugging Face hub"
    )
