"""Checks the rows of a nightly run for drift, and writes the report as an HTML page and as JSON."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from emojob.pipeline.nightly.calendar import Calendar
from emojob.pipeline.nightly.config import NightlyConfig, read_config
from emojob.pipeline.nightly.drift import drift
from emojob.pipeline.nightly.outcome import Night
from emojob.pipeline.nightly.state import read_last_night, read_seen
from emojob.pipeline.output.archive_folder import ArchiveFolder
from emojob.pipeline.output.derived.records import FIGURES, REPORT
from emojob.pipeline.output.derived.writing import from_current
from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.privacy.pii.masking import mask_texts
from emojob.pipeline.report.figures import ReportOptions, make_figures
from emojob.pipeline.report.report_files import ReportFiles, write_report_files
from emojob.pipeline.report.words import time_notes, words_of
from emojob.pipeline.running.unlabelled import unlabelled_inputs
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.warehouse.forgetting.derived import Remade
from emojob.schemas.manifest import Counts

_LARGEST_CONFIG = 1 << 20  # bytes


def remake_report(archive: AnyPath, may_replace: Callable[[AnyPath], bool]) -> Remade:
    """Recreate the report of an archive's last nightly run. Nothing is written in three cases:

    - There was no nightly run.
    - The configuration file of the last nightly run now names a different archive.
    - The archive contains no rows.

    Args:
        archive: The archive. Its state is untrusted: it may name any file as configuration.
        may_replace: Function that returns whether an existing file may be replaced. Only such files are written.

    Raises:
        OptionError: The configuration file of the last nightly run is missing or wrong.
        EmojobError: Any error of `make_figures`.
    """
    last = read_last_night(archive) if archive.is_dir() else None
    if last is None:
        return Remade()
    file, day = last
    if file.exists() and not (file.is_file() and file.stat().st_size <= _LARGEST_CONFIG):
        return Remade()
    config = read_config(file)
    if config.archive.resolve() != archive.resolve():
        return Remade()
    kinds = {REPORT: config.output.report, FIGURES: config.output.figures}
    existing = [(config.resolve(given), kind) for kind, given in kinds.items() if given]
    # an object is not looked up here, because the archive may come from somebody else
    existing = [(path, kind) for path, kind in existing if not isinstance(path, Path) or os.path.lexists(path)]
    allowed = {kind: path for path, kind in existing if may_replace(path)}
    skipped = [(path, kind) for path, kind in existing if kind not in allowed]
    output = ArchiveFolder(archive)
    output.read_markers()
    night = Night(day, 0)
    if allowed:
        files = ReportFiles(allowed.get(REPORT), allowed.get(FIGURES), config.output.language)
        _report(night, output, Calendar(config, read_seen(archive)), config, files)
    return Remade(night.written, skipped)


def report_night(
    night: Night,
    output: ArchiveFolder,
    calendar: Calendar,
    config: NightlyConfig,
    note: Callable[[str], None] = lambda text: None,
) -> None:
    """Check the rows of a nightly run for drift. Then write the report, which covers all days.

    Args:
        night: The nightly run. `report_night` sets `counts`, `drift`, `written` and `notes`.
        output: The labelled archive, after a call of `output.read_markers()`.
        calendar: Finds the day of each input.
        config: The configuration of the nightly run.
        note: callback(message) for messages to the user.
    """
    page, figures = config.output.report, config.output.figures
    files = ReportFiles(
        config.resolve(page) if page else None, config.resolve(figures) if figures else None, config.output.language
    )
    _report(night, output, calendar, config, files, note)


def _report(
    night: Night,
    output: ArchiveFolder,
    calendar: Calendar,
    config: NightlyConfig,
    files: ReportFiles,
    note: Callable[[str], None] = lambda text: None,
) -> None:
    def make(archive: LabelledArchive | None = None) -> None:
        output.read_markers()
        days = calendar.counts(output.markers)
        night.counts = days.get(night.day, Counts())
        night.drift = drift(days, night.day, config.drift)
        if archive:
            zone, order = config.score.time_zone, config.score.date_order
            options = ReportOptions(None, zone, config.output.mask_pii, config.report, date_order=order)
            figures = make_figures(archive, options)
            night.notes = time_notes(figures.archive, words_of("en"))
            figures.drift = night.drift.as_json()
            figures.unlabelled = _unlabelled(output, config)
            night.written = write_report_files(archive, figures, files, note, _is_unchanged)

    if output.markers and (files.page or files.figures):
        from_current(output.folder, make)
    else:
        make()


def _unlabelled(output: ArchiveFolder, config: NightlyConfig) -> list[dict[str, object]]:
    """Return the inputs of the archive with rejected rows and without labelled rows, for the report."""
    found = [one for one in unlabelled_inputs(output.folder, output.markers) if one.rejected]
    names = [PurePosixPath(one.input).name for one in found]
    if config.output.mask_pii:
        names = [str(name) for name in mask_texts(names)]
    return [
        {"input": name, "rejected": one.rejected, "reason": one.reason} for name, one in zip(names, found, strict=True)
    ]


def _is_unchanged(file: AnyPath, content: bytes) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return file.read_bytes() == content
    return False
