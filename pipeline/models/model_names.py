"""Checks the name of a model before large libraries are imported."""

from __future__ import annotations

from emojob.pipeline.storage.paths import is_object, parse_path
from emojob.schemas.errors import ModelError


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
    if name.count("/") > 1 or name.startswith((".", "/", "~")) or "\\" in name:
        raise ModelError(
            f"{option} {name} does not exist: give an existing model folder, or a name on the Hugging Face hub"
        )
