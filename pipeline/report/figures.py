"""Computes the figures of a report (counts, shares and example texts), for charts, tables and JSON."""

from __future__ import annotations

import datetime
import itertools
import math
from dataclasses import asdict, dataclass, field
from typing import Any

import duckdb
from duckdb import SQLExpression

from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.privacy.pii.masking import mask_texts
from emojob.pipeline.report.grouping import grouping_column
from emojob.pipeline.report.last_day import BEFORE, Rows, latest
from emojob.pipeline.report.uncertainty import add_mean_intervals, add_share_intervals, design_effects
from emojob.pipeline.statistics.shares import share_interval
from emojob.pipeline.times.time_reading import TimeReading
from emojob.pipeline.warehouse.aggregates import rows_of, store
from emojob.pipeline.warehouse.conversations import inputs_are_unknown
from emojob.pipeline.warehouse.database import open_database, run
from emojob.pipeline.warehouse.part_files import name_of
from emojob.pipeline.warehouse.sql_text import columns_of
from emojob.schemas.errors import OptionError
from emojob.schemas.labels import meaning_of
from emojob.schemas.options import ConversationOptions, check_date_order, speaker_key

__all__ = ["BEFORE", "Figures", "ReportOptions", "Rows", "breakdown", "latest", "make_figures"]

FIGURES_FORMAT = 1

#: If a column has more than MOST_VALUES distinct values, the report counts the values only on request (`--by`).
MOST_VALUES = 200
#: Maximum number of values of a column in the report. All further values are counted together.
SHOWN_VALUES = 30
#: Maximum number of conversations in `to_look_at`.
MOST_TO_LOOK_AT = 30
#: Maximum number of speakers of each role in `speakers`.
MOST_SPEAKERS = 20
_MOST_UNKNOWN = 6  # of more speakers without a role, none is named
#: Maximum number of utterances of a conversation in `to_look_at`.
MOST_UTTERANCES = 40

# Distinct values are counted in a sample: the first _SAMPLED_ROWS rows of each of about _SAMPLED_PARTS part files.
_SAMPLED_PARTS, _SAMPLED_ROWS = 8, 20_000
_COUNTABLE = {"VARCHAR", "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}


@dataclass(frozen=True)
class ReportOptions:
    """Options of a report.

    Attributes:
        by: Value of --by: day, hour or a column of the archive (see `grouping_column`). For a column, the first table
            of the report shows the emotions of each value.
        time_zone: Time zone for days and hours. If None, the report uses `archive_time_zone`.
        mask_pii: Whether to mask personal data.
        conversations: Options of the figures about conversations.
        first_day: First day of the report. If None, the report begins with the first row.
        last_day: Last day of the report. If None, the report ends with the last row. With `first_day` or `last_day`,
            rows without a time are left out.
        date_order: Order of dates such as 03/04/26: ymd, mdy or dmy. None: the values of the column tell the order.
    """

    by: str | None = None
    time_zone: str | None = None
    mask_pii: bool = True
    conversations: ConversationOptions = field(default_factory=ConversationOptions)
    first_day: datetime.date | None = None
    last_day: datetime.date | None = None
    date_order: str | None = None

    def __post_init__(self) -> None:
        check_date_order(self.date_order)
        if self.by is not None and not self.by:
            raise OptionError("--by is empty; give day, hour, or the name of a column of the archive")
        if self.first_day and self.last_day and self.first_day > self.last_day:
            raise OptionError(f"--from {self.first_day} is after --to {self.last_day}; exchange the two dates")


@dataclass
class Figures:
    """Figures of a report: counts, shares and example texts.

    Most attributes are tables, such as `days`. A table is a list of rows, and each row is a dictionary {column: value}.
    Rows with a share also have the ends of its 95% interval: `low` and `high`.
    The comment at the beginning of warehouse/sql/aggregates/days.sql describes the rows of `days`. Tables about times
    are empty if the archive has no times. Tables about conversations are empty if the archive has no conversations.

    Attributes:
        archive: Name of the archive, number of input files, the columns of totals.sql, the columns with a role
            (`roles`), and the numbers of times that cannot be read (see `TimeReading`). For an archive with
            conversations, also the columns of conversation_totals.sql, `conversation_scope`, `unknown_inputs`: whether
            a single file does not know which rows are of which input, and `unknown_speakers`: the speakers of the
            options that are not in the archive. `turned` and `soured` are None if emojob does not know which labels
            are negative.
        model: The section `model` of run.json.
        labels: Labels in id order.
        has_label_sets: Whether an utterance can carry several labels. Then the shares of the labels need not sum to 1.
        meaning: Which labels are negative, alarming or of unknown meaning: the attributes of `Meaning`.
        speakers: {role: names of speakers with this role in the archive, at most MOST_SPEAKERS}.
        breakdowns: {column: rows of breakdown.sql}.
        latest: Result of the function `latest`; {} if the archive has no times.
        design_effects: {emotion: design effect}, see `design_effects`; {} if the archive has no conversations. The
            intervals of all shares are for rows that are alike in this way.
        to_look_at: Conversations that changed to an alarming emotion: rows of to_look_at.sql, with the additional
            column `utterances` (rows of to_look_at_in_full.sql).
        drift: Drift checks of a nightly run; {} for other reports.
        unlabelled: Inputs of which no row is labelled because rows are rejected, with the keys input, rejected and
            reason; only for a nightly run.
        mark: Mark of the archive, for files with these figures; "" for no mark.
    """

    archive: dict[str, Any]
    model: dict[str, Any]
    labels: list[str]
    has_label_sets: bool
    meaning: dict[str, list[str]]
    emotions: Rows
    confidences: Rows
    lengths: Rows
    typical: Rows
    uncertain: Rows
    breakdowns: dict[str, Rows]
    speakers: dict[str, list[str]] = field(default_factory=dict)
    latest: dict[str, Any] = field(default_factory=dict)
    design_effects: dict[str, float] = field(default_factory=dict)
    days: Rows = field(default_factory=list)
    quality: Rows = field(default_factory=list)
    hours_of_day: Rows = field(default_factory=list)
    hours_of_week: Rows = field(default_factory=list)
    transitions: Rows = field(default_factory=list)
    endings: Rows = field(default_factory=list)
    arcs: Rows = field(default_factory=list)
    to_look_at: Rows = field(default_factory=list)
    drift: dict[str, Any] = field(default_factory=dict)
    unlabelled: Rows = field(default_factory=list)
    mark: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the figures as JSON values. Dates and times become ISO 8601 strings."""
        plain = _plain(asdict(self))
        mark = plain.pop("mark")
        # `emojob forget` looks for the mark directly after the format
        return {"format": FIGURES_FORMAT, **({"emojob_archive": mark} if mark else {}), **plain}


def make_figures(archive: LabelledArchive, options: ReportOptions | None = None) -> Figures:
    """Compute the figures of a report.

    Args:
        archive: The labelled archive.
        options: Options of the report. If None, the defaults of `ReportOptions` are used.

    Raises:
        ColumnError: `options.by` is not a column of the archive.
        OptionError, DataError, StorageError: See `open_database`.
    """
    options = options or ReportOptions()
    meaning = meaning_of(archive.labels, options.conversations.negative)
    readings: list[TimeReading] = []
    with open_database(
        archive,
        options.time_zone,
        conversations=options.conversations,
        days=(options.first_day, options.last_day),
        date_order=options.date_order,
        on_times=readings.append,
    ) as db:
        column = grouping_column(options.by, db.view("labelled").columns, archive.time_column is not None)
        for name in ("hours", "label_hours", "extremes"):
            store(db, name)
        figures = Figures(
            archive={**_totals(db, archive), **_unread_times(archive, readings[0])},
            model=dict(archive.run.get("model") or {}),
            labels=list(archive.labels),
            has_label_sets=archive.is_multi,
            meaning={name: list(labels) for name, labels in asdict(meaning).items()},
            emotions=rows_of(db, "emotions"),
            confidences=rows_of(db, "confidences"),
            lengths=rows_of(db, "lengths"),
            typical=rows_of(db, "typical"),
            uncertain=rows_of(db, "uncertain"),
            breakdowns={name: breakdown(db, archive, name) for name in _breakdown_columns(db, archive, column)},
        )
        if archive.conversation_column is not None:
            figures.design_effects = design_effects(db)
        if figures.archive["first_day"] is not None:
            _add_times(db, figures)
        if archive.conversation_column is not None:
            _add_conversations(db, archive, figures, options.conversations)
            if not meaning.is_known:
                figures.archive.update(turned=None, soured=None)
    _add_intervals(figures)
    if options.mask_pii:
        _mask(figures)
    return figures


def breakdown(db: duckdb.DuckDBPyConnection, archive: LabelledArchive, column: str) -> Rows:
    """Count the emotions for each value of a column.

    Args:
        db: Database from `open_database`.
        archive: The labelled archive.
        column: A column of the view `labelled`.

    Returns:
        The rows of breakdown.sql.
    """
    labelled = db.view("labelled")
    columns = columns_of(labelled)
    own = archive.label_columns
    label_set = columns[own.label_set] if own.label_set else SQLExpression("NULL::VARCHAR[]")
    values = {"value": columns[column].cast("VARCHAR"), "emotion": columns[own.label], "label_set": label_set}
    view = labelled.select(*(value.alias(name) for name, value in values.items()))
    view.create_view("broken_down", replace=True)
    return run(db, "breakdown", {"most": SHOWN_VALUES})


def _breakdown_columns(db: duckdb.DuckDBPyConnection, archive: LabelledArchive, by: str | None) -> list[str]:
    """Return the columns to break down: `by`, then columns with few distinct values (2 to MOST_VALUES in a sample)."""
    view = db.view("labelled")
    kinds = dict(zip(view.columns, map(str, view.types), strict=True))
    others = {
        archive.text_column, archive.conversation_column, archive.time_column, archive.clock_column,
        archive.number_column,
    }  # fmt: skip
    names = [name for name in archive.columns if name not in others and kinds.get(name) in _COUNTABLE]
    values: dict[str, set[str]] = {name: set() for name in names}
    for number in range(0, len(archive.part_files), max(1, len(archive.part_files) // _SAMPLED_PARTS)):
        rows = db.read_parquet([name_of(number)], hive_partitioning=False).limit(_SAMPLED_ROWS)
        columns = columns_of(rows)
        for name in set(names) & set(columns):
            if len(values[name]) <= MOST_VALUES:
                few = rows.select(columns[name].cast("VARCHAR")).distinct().limit(MOST_VALUES + 1)
                values[name].update(str(value) for (value,) in few.fetchall())
    found = [name for name in names if 2 <= len(values[name]) <= MOST_VALUES and name != by]
    texts = [name for name in found if kinds[name] in ("VARCHAR", "BOOLEAN") and not all(map(_is_number, values[name]))]
    found.sort(key=lambda name: name not in texts)  # columns of numbers, such as the number of a turn, are last
    return found if by is None else [by, *found]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return text in ("", "None")  # a missing value


def _totals(db: duckdb.DuckDBPyConnection, archive: LabelledArchive) -> dict[str, Any]:
    (totals,) = run(db, "totals")
    return {"name": archive.path.name, "inputs": len({part_file.input for part_file in archive.part_files}), **totals}


def _unread_times(archive: LabelledArchive, reading: TimeReading) -> dict[str, Any]:
    """Return the columns with a role, and the numbers of values that are not times (see TimeReading)."""
    names = ("unread", "undecided", "unclear", "serials", "values", "form")
    counts = {f"times_{name}": getattr(reading, name) for name in names}
    is_alone = reading.clock is not None and not reading.is_joined
    return {
        "time_column": archive.time_column if is_alone else archive.time_columns,
        "times_without_clock": archive.clock_column if is_alone else None,
        **counts,
        "roles": {
            "text": archive.text_column,
            "time": archive.time_columns,
            "conversation": archive.conversation_column,
            "speaker": archive.speaker_column,
        },
    }


def _add_times(db: duckdb.DuckDBPyConnection, figures: Figures) -> None:
    for name in ("days", "quality", "hours_of_day", "hours_of_week"):
        setattr(figures, name, rows_of(db, name))
    if {row["hour_of_day"] for row in figures.hours_of_day} <= {0}:  # every hour is 0: the values are dates
        figures.hours_of_day, figures.hours_of_week = [], []
    figures.latest = latest(figures.days, figures.design_effects)


def _add_intervals(figures: Figures) -> None:
    """Add the 95% intervals of the shares (`low`, `high`) and of the mean confidences to the tables."""
    designs = figures.design_effects
    for rows, by in (
        (figures.emotions, ()),
        (figures.days, ("day",)),
        (figures.hours_of_day, ("hour_of_day",)),
        (figures.hours_of_week, ("weekday", "hour_of_day")),
        *((rows, ("value", "others")) for rows in figures.breakdowns.values()),
    ):
        add_share_intervals(rows, by, designs)
    for row in figures.latest.get("emotions", []):
        row["low"], row["high"] = share_interval(
            row["share"] * figures.latest["rows"], figures.latest["rows"], design=designs.get(row["emotion"], 1.0)
        )
    add_share_intervals(figures.transitions, ("emotion_before",), designs, "times")
    add_share_intervals(figures.endings, ("first_emotion",), {}, "conversations", "last_emotion")
    add_share_intervals(figures.arcs, ("tenth",), {}, "conversations")
    add_mean_intervals(figures.emotions, "rows", designs)
    add_mean_intervals(figures.quality, "labelled", designs)


def _add_conversations(
    db: duckdb.DuckDBPyConnection, archive: LabelledArchive, figures: Figures, options: ConversationOptions
) -> None:
    for name in ("shared_ids", "speakers", "conversation_roles", "talks", "turns", "conversations", "soured"):
        store(db, name)
    figures.archive["unknown_inputs"] = inputs_are_unknown(archive)
    figures.archive["unknown_speakers"] = _unknown_speakers(db, options)
    for name in ("transitions", "endings", "arcs"):
        setattr(figures, name, rows_of(db, name))
    (totals,) = run(db, "conversation_totals")
    figures.archive.update({**totals, "conversation_scope": options.conversation_scope})
    for row in run(db, "speakers_of_roles", {"most": MOST_SPEAKERS}):
        figures.speakers.setdefault(row["role"], []).append(row["speaker"])
    figures.speakers = figures.speakers or _without_role(db)
    run(db, "to_look_at", {"most": MOST_TO_LOOK_AT})
    utterances: dict[tuple[str, str | None], Rows] = {}
    for row in run(db, "to_look_at_in_full", {"most": MOST_UTTERANCES}):
        utterances.setdefault((row.pop("conversation"), row.pop("input")), []).append(row)
    chosen = db.execute("FROM to_look_at").fetchall()
    names = db.table("to_look_at").columns
    found = [dict(zip(names, row, strict=True)) for row in chosen]
    figures.to_look_at = [
        {**row, "utterances": utterances.get((row["conversation"], row["input"]), [])} for row in found
    ]


def _unknown_speakers(db: duckdb.DuckDBPyConnection, options: ConversationOptions) -> list[str]:
    """Return the speakers of the options that are not in the archive."""
    known = {speaker_key(name) for (name,) in db.execute("SELECT speaker FROM speakers").fetchall()}
    return [name for name in (*options.customer_speakers, *options.agent_speakers) if speaker_key(name) not in known]


def _without_role(db: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """Return {"unknown": the speakers without a known role}; {} if there are many, because these may be customers."""
    query = "SELECT speaker FROM speakers WHERE role IS NULL ORDER BY rows DESC, speaker LIMIT ?"
    found = [str(name) for (name,) in db.execute(query, [_MOST_UNKNOWN + 1]).fetchall()]
    return {"unknown": found} if 0 < len(found) <= _MOST_UNKNOWN else {}


def _mask(figures: Figures) -> None:
    """Mask personal data in all texts and names that come from the archive."""
    rows = [*figures.typical, *figures.uncertain, *itertools.chain.from_iterable(figures.breakdowns.values())]
    rows += figures.to_look_at
    speakers = [{"role": role, "speaker": name} for role, names in figures.speakers.items() for name in names]
    rows += speakers
    rows += [utterance for row in figures.to_look_at for utterance in row["utterances"]]
    for name in ("text", "conversation", "input", "speaker", "value"):
        with_text = [row for row in rows if isinstance(row.get(name), str)]
        for row, masked in zip(with_text, mask_texts([row[name] for row in with_text]), strict=True):
            row[name] = masked
    for role in figures.speakers:
        figures.speakers[role] = [row["speaker"] for row in speakers if row["role"] == role]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, datetime.date) else value
