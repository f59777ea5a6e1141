"""Checks the rows of a nightly run for drift, and writes the report as an HTML page and as JSON."""

from __future__ import annotations

import contextlib

from emojob.pipeline.nightly.calendar import Calendar
from emojob.pipeline.nightly.config import NightlyConfig, read_config
from emojob.pipeline.nightly.drift import drift
from emojob.pipeline.nightly.outcome import Night
from emojob.pipeline.nightly.state import read_last_night, read_seen
from emojob.pipeline.output.archive_folder import ArchiveFolder
from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.report.figures import ReportOptions, make_figures
from emojob.pipeline.report.html_page import render_report
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.paths import AnyPath, output_errors
from emojob.pipeline.storage.permissions import limit_permissions
from emojob.schemas.manifest import Counts


def remake_report(archive: AnyPath) -> list[AnyPath]:
    """Recreate the report of an archive's last nightly run.

    Returns:
        Paths of the report's files. The list is empty in two cases:

        - There was no nightly run.
        - The configuration file of the last nightly run now names a different archive.

    Raises:
        OptionError: The configuration file of the last nightly run is missing or wrong.
        EmojobError: Any error of `make_figures`.
    """
    last = read_last_night(archive)
    if last is None:
        return []
    file, day = last
    config = read_config(file)
    if config.archive.resolve() != archive.resolve():
        return []
    output = ArchiveFolder(archive)
    output.read_markers()
    night = Night(day, 0)
    report_night(night, output, Calendar(config, read_seen(archive)), config)
    return night.written


def report_night(night: Night, output: ArchiveFolder, calendar: Calendar, config: NightlyConfig) -> None:
    """Check the rows of a nightly run for drift. Then write the report, which covers all days.

    Args:
        night: The nightly run. `report_night` sets `counts`, `drift` and `written`.
        output: The labelled archive, after a call of `output.read_markers()`.
        calendar: Finds the day of each input.
        config: The configuration of the nightly run.
    """
    days = calendar.counts(output.markers)
    night.counts = days.get(night.day, Counts())
    night.drift = drift(days, night.day, config.drift)
    if output.markers:
        _write_report(config, night)


def _write_report(config: NightlyConfig, night: Night) -> None:
    if not (config.output.report or config.output.figures):
        return
    archive = open_labelled(config.archive)
    options = ReportOptions(None, config.score.time_zone, config.output.mask_pii, config.report)
    figures = make_figures(archive, options)
    figures.drift = night.drift.as_json() if night.drift else {}
    with limit_permissions(part_file.file for part_file in archive.part_files):
        if config.output.report:
            page = render_report(figures, config.output.language)
            _write_changed(config.resolve(config.output.report), page, night)
        if config.output.figures:
            _write_changed(config.resolve(config.output.figures), atomic.json_bytes(figures.as_json()), night)


def _write_changed(file: AnyPath, content: bytes, night: Night) -> None:
    """Write a file if the content has changed. Add `file` to `night.written`, even if the content is unchanged."""
    night.written.append(file)
    with output_errors(file):
        with contextlib.suppress(FileNotFoundError):
            if file.read_bytes() == content:
                return
        atomic.write_bytes(file, content)
