"""Defines `emojob report`, which summarizes a labelled archive in tables, an HTML page and JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from emojob.jobs.options.conversation_options import conversation_options, take_conversation_options
from emojob.jobs.options.every_command import (
    ANY_PATH,
    SETTINGS,
    date_order_option,
    debug_option,
    force_option,
    language_option,
    parse_day,
)
from emojob.jobs.options.input_files import check_archive
from emojob.jobs.options.output_files import STDOUT, check_figure_files
from emojob.jobs.terminal.console import note
from emojob.jobs.terminal.text import json_line, plain
from emojob.pipeline.storage.paths import AnyPath

if TYPE_CHECKING:
    from emojob.pipeline.output.labelled_archive import LabelledArchive


@click.command(context_settings=SETTINGS, short_help="Summarize a labelled archive in tables, an HTML page or JSON.")
@click.argument("out", metavar="OUT", type=ANY_PATH)
@click.option(
    "--by",
    metavar="day|hour|COLUMN",
    help="Group the emotions by day, by hour or by COLUMN (a column named day or hour: '\"hour\"').  [default: day; no "
    "groups if the times are unknown]",
)
@click.option("--from", "first_day", metavar="YYYY-MM-DD", help="First day of the report.  [default: all days]")
@click.option("--to", "last_day", metavar="YYYY-MM-DD", help="Last day of the report.  [default: all days]")
@click.option("--html", "html_file", metavar="FILE", type=ANY_PATH, help="Write the report as an HTML page.")
@click.option(
    "--json",
    "json_file",
    metavar="FILE",
    type=ANY_PATH,
    help="Write the numbers of the report as JSON to FILE. If FILE is -, print JSON instead of tables.",
)
@language_option("the HTML page and the tables")
@click.option(
    "--time-zone",
    metavar="ZONE",
    help="Time zone of the days and hours.  [default: the time zone of the archive, or Asia/Seoul if unknown]",
)
@date_order_option
@click.option("--mask-pii/--no-mask-pii", default=True, show_default=True, help="Mask personal data in the report.")
@force_option
@conversation_options
@debug_option
def report(
    out: AnyPath, by: str | None, first_day: str | None, last_day: str | None, html_file: AnyPath | None,
    json_file: AnyPath | None, language: str, time_zone: str | None, date_order: str | None, mask_pii: bool,
    force: bool, **conversations: Any,
) -> None:  # fmt: skip
    """Show the emotions in a labelled archive, and how the emotions change over time.

    OUT is the output of `emojob score`. The report also lists conversations that get worse: a customer's first emotion
    is not negative, but the last emotion is anger, depression, anxiety or fear. If the customers are unknown, all
    speakers count.
    """
    check_archive(out)
    from emojob.jobs.terminal.report_tables import print_report
    from emojob.pipeline.html.page import check_drawable
    from emojob.pipeline.output.derived.writing import from_current
    from emojob.pipeline.report.figures import Figures, ReportOptions, make_figures
    from emojob.pipeline.report.grouping import grouping_note
    from emojob.pipeline.report.report_files import ReportFiles, write_report_files
    from emojob.pipeline.report.words import words_of

    days = (parse_day("--from", first_day), parse_day("--to", last_day))
    options = ReportOptions(by, time_zone, mask_pii, take_conversation_options(conversations), *days, date_order)
    files = ReportFiles(html_file, None if json_file == STDOUT else json_file, language)
    if html_file:
        check_drawable()

    def make(archive: LabelledArchive) -> Figures:
        check_figure_files(json_file, html_file, (), archive, force)
        figures = make_figures(archive, options)
        if line := grouping_note(by, archive):
            note(line)
        write_report_files(archive, figures, files, note)
        return figures

    figures = from_current(out, make, note)
    if json_file == STDOUT:
        click.echo(json_line(figures.as_json()))
        return
    words = words_of(language)
    print_report(figures, by, words)
    for file in (json_file, html_file):
        if file:
            click.echo(f"  {words['wrote']}  {plain(str(file))}")
