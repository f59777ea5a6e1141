"""Computes the figures of a report. The tables, the charts and the JSON output all show these figures."""

from __future__ import annotations

import datetime
import itertools
from dataclasses import asdict, dataclass, field
from typing import Any

import duckdb
from duckdb import ColumnExpression

from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.privacy.pii.masking import mask_texts
from emojob.pipeline.warehouse.aggregates import rows_of, store
from emojob.pipeline.warehouse.database import open_database, run
from emojob.schemas.errors import ColumnError, OptionError
from emojob.schemas.messages import listed

FIGURES_FORMAT = 1

#: The last day is compared with at most this number of days before it.
BEFORE = 28
#: A column with more distinct values than this number gets no breakdown.
MOST_VALUES = 200
#: Maximum number of values in a breakdown; the other values are counted together.
SHOWN_VALUES = 30
#: Maximum number of conversations in `to_look_at`, and of utterances in each of these conversations.
MOST_TO_LOOK_AT = 30
MOST_UTTERANCES = 40

# Columns with few values are found in a sample: the first _SAMPLED_ROWS rows of about _SAMPLED_PARTS part files.
_SAMPLED_PARTS, _SAMPLED_ROWS = 8, 20_000
_COUNTABLE = {"VARCHAR", "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class ReportOptions:
    """Options of a report.

    Attributes:
        by: First breakdown: day, hour or a column of the archive. None means day, if the archive has times.
        time_zone: Time zone of days and hours. None uses the archive's time zone, or Asia/Seoul if the archive has
            none.
        mask_pii: Whether personal data is masked.
    """

    by: str | None = None
    time_zone: str | None = None
    mask_pii: bool = True

    def __post_init__(self) -> None:
        if self.by is not None and not self.by.strip():
            raise OptionError("--by is empty; give day, hour, or the name of a column of the archive")


@dataclass
class Figures:
    """The figures of a report.

    A table is a list of rows, {column: value}. The table NAME is the result of warehouse/sql/aggregates/NAME.sql, whose
    first comment describes a row. Tables that need times or conversations are empty if the archive has none.

    Attributes:
        archive: Totals of the archive: name, inputs, and the columns of totals.sql.
        model: The section `model` of run.json.
        labels: Labels in id order.
        breakdowns: {column: rows of breakdown.sql}.
        latest: The last day compared with the days before it, from `latest`; {} if the archive has no times.
        to_look_at: Conversations that changed to an alarming emotion: rows of to_look_at.sql, each with the list
            `utterances`.
        drift: Drift checks of a nightly run; {} if the report does not belong to a nightly run.
    """

    archive: dict[str, Any]
    model: dict[str, Any]
    labels: list[str]
    emotions: Rows
    confidences: Rows
    lengths: Rows
    typical: Rows
    uncertain: Rows
    breakdowns: dict[str, Rows]
    latest: dict[str, Any] = field(default_factory=dict)
    days: Rows = field(default_factory=list)
    quality: Rows = field(default_factory=list)
    hours_of_day: Rows = field(default_factory=list)
    hours_of_week: Rows = field(default_factory=list)
    transitions: Rows = field(default_factory=list)
    endings: Rows = field(default_factory=list)
    arcs: Rows = field(default_factory=list)
    to_look_at: Rows = field(default_factory=list)
    drift: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the figures as values for JSON. Dates and times are strings in ISO 8601."""
        return {"format": FIGURES_FORMAT, **_plain(asdict(self))}


def make_figures(archive: LabelledArchive, options: ReportOptions | None = None) -> Figures:
    """Compute the figures of a report.

    Args:
        archive: The labelled archive.
        options: The report's options; None uses the defaults.

    Raises:
        ColumnError: `options.by` names an unknown column.
        OptionError, DataError, StorageError: See `open_database`.
    """
    options = options or ReportOptions()
    with open_database(archive, options.time_zone) as db:
        _check_by(db, options.by)
        for name in ("hours", "extremes"):
            store(db, name)
        figures = Figures(
            archive=_totals(db, archive),
            model=dict(archive.run.get("model") or {}),
            labels=list(archive.labels),
            emotions=rows_of(db, "emotions"),
            confidences=rows_of(db, "confidences"),
            lengths=rows_of(db, "lengths"),
            typical=rows_of(db, "typical"),
            uncertain=rows_of(db, "uncertain"),
            breakdowns={name: breakdown(db, archive, name) for name in _breakdown_columns(db, archive, options.by)},
        )
        if figures.archive["first_day"] is not None:
            _add_times(db, figures)
        if archive.conversation_column is not None:
            _add_conversations(db, figures)
    if options.mask_pii:
        _mask(figures)
    return figures


def latest(days: Rows) -> dict[str, Any]:
    """Compare the share of each emotion on the last day with its share on the days before.

    At most BEFORE days before the last day are used. Days without rows are skipped.

    Args:
        days: Rows of days.sql.

    Returns:
        {} if `days` is empty. Otherwise a dictionary with these keys:

        - day, rows: The last day, and its number of rows.
        - days_before: Number of the days before.
        - rows_a_day_before: Mean number of rows on a day before.
        - emotions: {"emotion", "share", "before", "change"} of each emotion; `before` is the share on the days before.

        `rows_a_day_before`, `before` and `change` are None if `days` contains only one day.
    """
    by_day: dict[datetime.date, dict[str, int]] = {}
    for row in days:
        by_day.setdefault(row["day"], {})[row["emotion"]] = row["rows"]
    if not by_day:
        return {}
    last, *earlier = sorted(by_day, reverse=True)
    earlier = earlier[:BEFORE]
    rows, rows_before = sum(by_day[last].values()), sum(sum(by_day[day].values()) for day in earlier)
    shares = []
    for emotion in sorted({emotion for day in (last, *earlier) for emotion in by_day[day]}):
        share = by_day[last].get(emotion, 0) / rows
        before = sum(by_day[day].get(emotion, 0) for day in earlier) / rows_before if earlier else None
        change = None if before is None else share - before
        shares.append({"emotion": emotion, "share": share, "before": before, "change": change})
    return {
        "day": last,
        "rows": rows,
        "days_before": len(earlier),
        "rows_a_day_before": rows_before / len(earlier) if earlier else None,
        "emotions": shares,
    }


def breakdown(db: duckdb.DuckDBPyConnection, archive: LabelledArchive, column: str) -> Rows:
    """Count the emotions for each value of a column.

    Args:
        db: Database that `open_database` returned.
        archive: The labelled archive.
        column: A column of the view `labelled`.

    Returns:
        The rows of breakdown.sql.
    """
    value, emotion = ColumnExpression(column).cast("VARCHAR"), ColumnExpression(f"{archive.prefix}emotion")
    view = db.view("labelled").select(value.alias("value"), emotion.alias("emotion"))
    view.create_view("broken_down", replace=True)
    return run(db, "breakdown", {"most": SHOWN_VALUES})


def _check_by(db: duckdb.DuckDBPyConnection, by: str | None) -> None:
    names = db.view("labelled").columns
    if by is not None and by not in ("day", "hour", *names):
        raise ColumnError(f"--by {by} is not a column of the archive; give day, hour, or one of {listed(names)}")


def _breakdown_columns(db: duckdb.DuckDBPyConnection, archive: LabelledArchive, by: str | None) -> list[str]:
    """Return the columns that get a breakdown: `by`, and each column with 2 to MOST_VALUES values in a sample."""
    view = db.view("labelled")
    kinds = dict(zip(view.columns, map(str, view.types), strict=True))
    others = {archive.text_column, archive.conversation_column, archive.time_column}
    names = [name for name in archive.columns if name not in others and kinds.get(name) in _COUNTABLE]
    values: dict[str, set[str]] = {name: set() for name in names}
    for part_file in archive.part_files[:: max(1, len(archive.part_files) // _SAMPLED_PARTS)]:
        rows = db.read_parquet(str(part_file.file)).limit(_SAMPLED_ROWS)
        for name in set(names) & set(rows.columns):
            if len(values[name]) <= MOST_VALUES:
                few = rows.select(ColumnExpression(name).cast("VARCHAR")).distinct().limit(MOST_VALUES + 1)
                values[name].update(str(value) for (value,) in few.fetchall())
    found = [name for name in names if 2 <= len(values[name]) <= MOST_VALUES and name != by]
    found.sort(key=lambda name: kinds[name] not in ("VARCHAR", "BOOLEAN"))  # text columns before number columns
    return found if by in (None, "day", "hour") else [by, *found]


def _totals(db: duckdb.DuckDBPyConnection, archive: LabelledArchive) -> dict[str, Any]:
    (totals,) = run(db, "totals")
    return {"name": archive.path.name, "inputs": len({part_file.input for part_file in archive.part_files}), **totals}


def _add_times(db: duckdb.DuckDBPyConnection, figures: Figures) -> None:
    for name in ("days", "quality", "hours_of_day", "hours_of_week"):
        setattr(figures, name, rows_of(db, name))
    if {row["hour_of_day"] for row in figures.hours_of_day} <= {0}:  # all times are dates, so no hour is known
        figures.hours_of_day, figures.hours_of_week = [], []
    figures.latest = latest(figures.days)


def _add_conversations(db: duckdb.DuckDBPyConnection, figures: Figures) -> None:
    for name in ("talks", "turns", "conversations", "soured"):
        store(db, name)
    for name in ("transitions", "endings", "arcs"):
        setattr(figures, name, rows_of(db, name))
    (totals,) = run(db, "conversation_totals")
    figures.archive.update(totals)
    run(db, "to_look_at", {"most": MOST_TO_LOOK_AT})
    utterances: dict[str, Rows] = {}
    for row in run(db, "to_look_at_in_full", {"most": MOST_UTTERANCES}):
        utterances.setdefault(row.pop("conversation"), []).append(row)
    chosen = db.execute("FROM to_look_at").fetchall()
    names = db.table("to_look_at").columns
    found = [dict(zip(names, row, strict=True)) for row in chosen]
    figures.to_look_at = [{**row, "utterances": utterances.get(row["conversation"], [])} for row in found]


def _mask(figures: Figures) -> None:
    """Mask personal data in all values that come from the archive."""
    rows = [*figures.typical, *figures.uncertain, *itertools.chain.from_iterable(figures.breakdowns.values())]
    rows += figures.to_look_at
    rows += [utterance for row in figures.to_look_at for utterance in row["utterances"]]
    for name in ("text", "conversation", "speaker", "value"):
        with_text = [row for row in rows if isinstance(row.get(name), str)]
        for row, masked in zip(with_text, mask_texts([row[name] for row in with_text]), strict=True):
            row[name] = masked


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, datetime.date) else value
