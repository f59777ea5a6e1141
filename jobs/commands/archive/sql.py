"""Defines `emojob sql`, which queries a labelled archive in SQL."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
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
)
from emojob.jobs.options.input_files import check_archive
from emojob.jobs.options.output_files import check_output_file
from emojob.jobs.terminal.console import note
from emojob.jobs.terminal.text import PlainStream, plain
from emojob.pipeline.storage.paths import AnyPath
from emojob.schemas.errors import BusyError, ChangedError, OptionError
from emojob.schemas.messages import counted

if TYPE_CHECKING:
    from emojob.pipeline.output.labelled_archive import LabelledArchive
    from emojob.pipeline.warehouse.query import Session
    from emojob.schemas.options import ConversationOptions

_UNMASKED = {
    "en": "; personal data is not masked (only an archive of `emojob score --mask-pii` gives masked results)",
    "ko": " 개인정보는 마스킹되지 않았습니다(`emojob score --mask-pii`로 만든 아카이브의 결과만 마스킹됩니다).",
}
_FORMATS = ("table", "csv", "json", "parquet", "xlsx")


@click.command(context_settings=SETTINGS, short_help="Query a labelled archive in SQL.")
@click.argument("out", metavar="OUT", type=ANY_PATH)
@click.argument("query", metavar="[QUERY]", required=False)
@click.option("--format", "form", type=click.Choice(_FORMATS), help="Format of the result.  [default: table]")
@click.option("-o", "--output", "file", metavar="FILE", type=ANY_PATH, help="Write the result to FILE.")
@click.option(
    "--time-zone",
    metavar="ZONE",
    help="Time zone for the column said_at.  [default: the time zone of the archive, or Asia/Seoul if unknown]",
)
@date_order_option
@click.option(
    "--export", metavar="FILE.duckdb", type=click.Path(path_type=Path), help="Create a DuckDB database for BI tools."
)
@click.option(
    "--copy",
    is_flag=True,
    help="Copy the rows into the database that --export creates. By default, the database reads the files in OUT.",
)
@language_option("the line about a written file")
@force_option
@conversation_options
@debug_option
def sql(
    out: AnyPath, query: str | None, form: str | None, file: AnyPath | None, time_zone: str | None,
    date_order: str | None, export: Path | None, copy: bool, language: str, force: bool,
    **given: Any,
) -> None:  # fmt: skip
    """Query a labelled archive in DuckDB's SQL. The view `labelled` contains the rows of the archive.

    \b
    Examples:
    emojob sql OUT "SELECT emotion, count(*) FROM labelled GROUP BY ALL"
    echo "FROM labelled LIMIT 5" | emojob sql OUT --format json
    emojob sql OUT                       (opens an SQL prompt)

    OUT is the output of `emojob score`.

    \b
    Columns of the view `labelled`:
    - all columns of the input
    - emotion, confidence, prob_..., emotion_status
    - conversation_id, said_at (the time), speaker and text, if known; null if blank

    Other views: emotions, days, hours_of_day, hours_of_week, quality, transitions, conversations, soured, rejects.

    The view `soured` lists conversations that get worse: a customer's first emotion is not negative, but the last
    emotion is anger, depression, anxiety or fear. If the customers are unknown, all speakers count.

    A query can read only the files in OUT. It cannot write files.
    """
    check_archive(out)
    from emojob.pipeline.output.labelled_archive import open_labelled

    conversations = take_conversation_options(given)
    if copy and not export:
        raise OptionError("--copy needs --export: add --export FILE.duckdb, or omit --copy")
    views = Views(time_zone, conversations, date_order)
    if export:
        _export(out, export, copy, views, force, language)
        return
    is_prompt = query is None and sys.stdin.isatty()
    if file is not None and not is_prompt:
        _save(out, sys.stdin.read() if query is None else query, file, form, views, force, language)
        return
    if not is_prompt:
        _print(out, sys.stdin.read() if query is None else query, form, views)
        return
    from emojob.jobs.terminal.sql_prompt import run_prompt

    with _open(open_labelled(out), views) as session:
        run_prompt(session)


@dataclass(frozen=True)
class Views:
    """Options of the views."""

    time_zone: str | None
    conversations: ConversationOptions
    date_order: str | None


def _export(out: AnyPath, file: Path, copy: bool, views: Views, force: bool, language: str) -> None:
    from emojob.pipeline.output.derived.writing import from_current
    from emojob.pipeline.storage.permissions import limit_permissions
    from emojob.pipeline.warehouse.export import export_database
    from emojob.pipeline.warehouse.rejected_rows import is_masked, rejects_of

    def make(archive: LabelledArchive) -> bool:
        check_output_file("--export", file, "archive.duckdb", (), archive, force)
        with limit_permissions(one.file for one in [*archive.part_files, *rejects_of(archive)]):
            export_database(archive, file, copy, views.time_zone, views.conversations, note, views.date_order)
        return is_masked(archive)

    line = f"wrote {plain(str(file))}: a DuckDB database with all views of `emojob sql`"
    if language == "ko":
        line = f"{plain(str(file))}: `emojob sql`의 뷰가 모두 들어 있는 DuckDB 데이터베이스를 저장했습니다."
    click.echo(line + (_UNMASKED[language] if not from_current(out, make, note) else ""))


def _save(out: AnyPath, query: str, file: AnyPath, form: str | None, views: Views, force: bool, language: str) -> None:
    """Write the result of a query to a file."""
    from emojob.pipeline.output.derived.records import EXPORT
    from emojob.pipeline.output.derived.writing import DerivedFile, from_current
    from emojob.pipeline.storage.permissions import limit_permissions
    from emojob.pipeline.warehouse.rejected_rows import is_masked, rejects_of
    from emojob.pipeline.warehouse.results import format_of, write_file

    def make(archive: LabelledArchive) -> tuple[int, bool]:
        check_output_file("-o", file, "result.csv", (), archive, force)
        form_of_file = format_of(file, form)
        with (
            _open(archive, views) as session,
            limit_permissions(one.file for one in [*archive.part_files, *rejects_of(archive)]),
        ):
            result = session.query(query, typed=form_of_file == "parquet")
            derived = DerivedFile(archive, file, EXPORT, note)
            rows = write_file(result, file, "csv" if form_of_file == "table" else form_of_file, derived)
        return rows, is_masked(archive)

    rows, masked = from_current(out, make, note)
    line = f"{counted(rows, 'row')} in {plain(str(file))}"
    if language == "ko":
        line = f"{plain(str(file))}: {rows:,}행을 저장했습니다."
    click.echo(line + ("" if masked else _UNMASKED[language]), err=True)


@contextlib.contextmanager
def _open(archive: LabelledArchive, views: Views) -> Iterator[Session]:
    """Open a session, and print the note about values that are not times."""
    from emojob.pipeline.warehouse.query import open_session

    zone, conversations, date_order = views.time_zone, views.conversations, views.date_order
    with open_session(archive, zone, conversations=conversations, date_order=date_order) as session:
        if session.note:
            note(session.note)
        yield session


def _print(out: AnyPath, query: str, given: str | None, views: Views) -> None:
    """Run a query, and print the result. If the archive changes before a row is printed, run the query again."""
    from emojob.jobs.terminal.query_table import print_table
    from emojob.pipeline.output.derived.writing import from_current
    from emojob.pipeline.warehouse.query import QueryResult
    from emojob.pipeline.warehouse.results import format_of, write

    form, is_printing = format_of(None, given), False
    if form in ("parquet", "xlsx") and sys.stdout.isatty():
        raise OptionError(f"--format {form} cannot be printed on a terminal; write a file with -o FILE.{form}")

    def make(archive: LabelledArchive) -> None:
        nonlocal is_printing
        with _open(archive, views) as session:
            result = session.query(query, typed=form == "parquet")
            if form == "table":
                print_table(result)
                return
            first = list(itertools.islice(result.batches, 1))
            is_printing = True
            result = QueryResult(result.schema, itertools.chain(first, result.batches))
            write(result, PlainStream(sys.stdout.buffer) if sys.stdout.isatty() else sys.stdout.buffer, form)

    def make_once(archive: LabelledArchive) -> None:
        try:
            make(archive)
        except ChangedError as error:
            if not is_printing:
                raise
            raise BusyError(f"{error}; the printed rows are incomplete") from None

    from_current(out, make_once, note)
