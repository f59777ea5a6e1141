"""Checks before a nightly run: the settings, the inputs, and the files that the run would overwrite."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import duckdb

from emojob.pipeline.html.page import check_drawable
from emojob.pipeline.inference import memo_file
from emojob.pipeline.models.label_names import named_ids
from emojob.pipeline.models.model_folder import find_folder, read_config
from emojob.pipeline.nightly.config import NightlyConfig
from emojob.pipeline.nightly.monitoring import is_log, is_metrics
from emojob.pipeline.output.archive_folder import ArchiveFolder
from emojob.pipeline.output.compatibility import ensure_archive_or_empty
from emojob.pipeline.output.derived.replacing import check_not_of_archive, check_replaceable, is_one_of
from emojob.pipeline.reading.dataset import Dataset, open_dataset, open_sources
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.selection import holds_no_dialogue
from emojob.pipeline.storage.paths import as_local, output_errors
from emojob.pipeline.times.zones import check_zone
from emojob.schemas.column_names import listed_columns
from emojob.schemas.errors import ColumnError, OptionError, OutputError
from emojob.schemas.labels import meaning_of
from emojob.schemas.messages import listed
from emojob.schemas.options import ScoreOptions


def check_settings(config: NightlyConfig) -> None:
    """Check the settings and the archive folder.

    Raises:
        OptionError: Two settings conflict, a folder or a package is missing, or a time zone or a label is unknown.
        ModelError: The model does not exist.
        OutputError: The archive's folder contains files that emojob did not write.
    """
    keep, back = config.output.keep_days, config.input.days_back
    if keep and config.input.has_date and keep <= back:
        raise OptionError(
            f"output.keep_days is {keep}, but must be greater than input.days_back ({back}); "
            f"set output.keep_days to at least {back + 1}, or to 0 to keep all rows"
        )
    monitoring = {"monitoring.log": config.monitoring.log, "monitoring.prometheus": config.monitoring.prometheus}
    for monitored in monitoring.values():
        config.local_path(monitored)
    written = {"output.report": config.output.report, "output.figures": config.output.figures, **monitoring}
    for key, path in written.items():
        file = as_local(config.resolve(path or "."))
        if file and not file.parent.is_dir():
            raise OptionError(
                f"{key} is {path!r}, but the folder {file.parent} does not exist; "
                "create this folder, or give a different path"
            )
    if config.output.report:
        check_drawable()
    if zone := config.score.time_zone:
        check_zone(duckdb.connect(), zone, "score.time_zone")
    if negative := config.report.negative:
        folder = find_folder(config.model_options().model)
        labels = named_ids(read_config(folder, str(folder)))
        meaning_of([*labels.values()], negative)
    if memo := config.score_options().memo:
        memo_file.parse_memo_path(memo, "score.memo")
    with output_errors(config.archive):
        ensure_archive_or_empty(config.archive)


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


class HoldsNoDialogue(Exception):
    """A file of a folder holds no dialogue, so it is not read."""


def open_input(file: InputFile, options: ScoreOptions, archive: ArchiveFolder) -> Dataset:
    """Open an input, and check that its columns fit to the archive.

    Args:
        file: The input.
        options: Options of the scoring run.
        archive: The archive, after a call of `read_markers`.

    Raises:
        DataError: The input cannot be read, or its columns do not fit.
        HoldsNoDialogue: The input is passed over.
    """
    text = archive.run().get("text_column") if archive.markers else None
    text = text if options.text_column in (None, text) else None
    try:
        dataset = open_dataset([file], options)
    except ColumnError:
        sources, _ = open_sources([file], options)
        if all(holds_no_dialogue(source, options) for source in sources):
            raise HoldsNoDialogue from None
        if isinstance(text, str) and all(text not in source.schema.names for source in sources):
            raise _other_text_column(file, text, sources[0].schema.names) from None
        raise
    if isinstance(text, str) and dataset.text_column != text:
        raise _other_text_column(file, text, dataset.schema.names)
    try:
        archive.ensure_same_names(dataset.schema, {file.name: dataset.schema.names})
    except OutputError as error:  # an error of this input only
        raise ColumnError(str(error)) from None
    return dataset


def _other_text_column(file: InputFile, text: str, names: Sequence[str]) -> ColumnError:
    if text in names:
        return ColumnError(
            f"{file.name}: the text column of the archive is {listed([text])}, but another column of this input has a "
            f"usual name for texts, too; give --text-column {text!r}"
        )
    return ColumnError(
        f"{file.name} has no column {listed([text])}, the text column of the archive; its columns are "
        f"{listed_columns(names)}: if one of them holds the texts, rename it to {listed([text])} in this file; for "
        "another text column from now on, give another folder with -o"
    )


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
