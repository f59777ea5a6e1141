"""Checks paths of inputs before large libraries are imported, so that a wrong name is reported at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from emojob.pipeline.storage.paths import AnyPath, no_archive, no_such_input, parse_path


def check_inputs(inputs: Iterable[str | Path]) -> None:
    """Check that local inputs exist. URLs and globs are not checked.

    Raises:
        NothingFound: A file or folder does not exist.
        OptionError: A URL is wrong.
    """
    for given in map(str, inputs):
        path = parse_path(given) if given else None
        if isinstance(path, Path) and not set("*?[") & set(given) and not (path.exists() or path.is_symlink()):
            raise no_such_input(given)


def check_archive(out: AnyPath) -> None:
    """Check that a local archive exists. Raises OutputError if it does not."""
    if isinstance(out, Path) and not (out.exists() or out.is_symlink()):
        raise no_archive(out)
