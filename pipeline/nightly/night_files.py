"""Checks that a nightly run would not overwrite files that emojob did not write."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from emojob.pipeline.nightly.config import NightlyConfig
from emojob.pipeline.nightly.monitoring import is_log, is_metrics
from emojob.pipeline.output.derived.replacing import check_not_of_archive, check_replaceable, is_one_of
from emojob.pipeline.storage.paths import output_errors
from emojob.schemas.errors import OptionError


def check_night_files(config: NightlyConfig, inputs: Collection[str]) -> None:
    """Raise OptionError if the report, the figures, the log or the metrics file must not be written.

    Args:
        config: The configuration of the nightly run.
        inputs: Names of the inputs of the run (see `InputFile.name`).

    Raises:
        StorageError, OutputError: A file cannot be read.
    """
    for key, given in (("output.report", config.output.report), ("output.figures", config.output.figures)):
        if given:
            file = config.resolve(given)
            _refuse_special(key, file)
            check_replaceable(key, file, config.archive, inputs, None)
    monitoring = config.monitoring
    if log := config.local_path(monitoring.log):
        _check_text_file("monitoring.log", log, is_log, config, inputs)
    if metrics := config.local_path(monitoring.prometheus):
        _refuse_special("monitoring.prometheus", metrics)
        _check_text_file("monitoring.prometheus", metrics, is_metrics, config, inputs)


def _refuse_special(key: str, file: object) -> None:
    """Refuse a device or a pipe: emojob would replace it by a file."""
    if isinstance(file, Path) and file.exists() and not file.is_file():
        raise OptionError(f"{key}: {file} is not a file; give a file name")


def _check_text_file(
    key: str, file: Path, is_own: Callable[[Path], bool], config: NightlyConfig, inputs: Collection[str]
) -> None:
    check_not_of_archive(key, file, config.archive)
    if file.is_dir():
        raise OptionError(f"{key}: {file} is a folder; give a file name")
    with output_errors(file):
        if not file.is_file() or not file.stat().st_size:
            return
        if is_one_of(file, inputs) or not is_own(file):
            raise OptionError(
                f"{key} {file} exists, and nothing shows that emojob wrote this file: give a different file name, or "
                "delete the file"
            )
