"""Computes the figures of a report (counts, shares and example texts), for charts, tables and JSON."""

from __future__ import annotations

import datetime
import itertools
from dataclasses import asdict, dataclass, field
from typing import Any

import duckdb

from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.privacy.pii.masking import mask_texts
from emojob.pipeline.warehouse.aggregates import rows_of, store
from emojob.pipeline.warehouse.conversations import inputs_are_unknown
from emojob.pipeline.warehouse.database import open_database, run
from emojob.pipeline.warehouse.part_files import name_of
from emojob.pipeline.warehouse.sql_text import columns_of
from emojob.schemas.errors import ColumnError, OptionError
from emojob.schemas.labels import meaning_of
from emojob.schemas.messages import listed
from emojob.schemas.options import ConversationOptions, speaker_key

FIGURES_FORMAT = 1

#: Maximum number of earlier days that are compared with the last day.
BEFORE = 28
#: If a column has more than MOST_VALUES distinct values, the report counts the values only on request (`--by`).
MOST_VALUES = 200
#: Maximum number of values of a column in the report. All further values are counted together.
SHOWN_VALUES = 30
#: Maximum number of conversations in `to_look_at`.
MOST_TO_LOOK_AT = 30
#: Maximum number of speakers of each role in `speakers`.
MOST_SPEAKERS = 20
#: Maximum number of utterances of a conversation in `to_look_at`.
MOST_UTTERANCES = 40

# Distinct values are counted in a sample: the first _SAMPLED_ROWS rows of each of about _SAMPLED_PARTS part files.
_SAMPLED_PARTS, _SAMPLED_ROWS = 8, 20_000
_COUNTABLE = {"VARCHAR", "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class ReportOptions:
    """Options of a report.

    Attributes:
        by: Value of --by: day, hour or a column of the archive. For a column, the first table of the report shows the
            emotions of each value.
        time_zone: Time zone for days and hours. If None, the report uses `archive_time_zone`.
        mask_pii: Whether to mask personal data.
        conversations: Options of the figures about conversations.
    """

    by: str | None = None
    time_zone: str | None = None
    mask_pii: bool = True
    conversations: ConversationOptions = field(default_factory=ConversationOptions)

    def __post_init__(self) -> None:
        if self.by is not None and not self.by.strip():
            raise OptionError("--by is empty; give day, hour, or the name of a column of the archive")


@dataclass
class Figures:
    """Figures of a report: counts, shares and example texts.

    Most attributes are tables, such as `days`. A table is a list of rows, and each row is a dictionary {column: value}.
    The comment at the beginning of warehouse/sql/aggregates/days.sql describes the rows of `days`. Tables about times
    are empty if the archive has no times. Tables about conversations are empty if the archive has no conversations.

    Attributes:
        archive: Name of the archive, number of input files, and the columns of totals.sql. For an archive with
            conversations, also the columns of conversation_totals.sql, `conversation_scope`, `unknown_inputs`: whether
            a single file does not know which rows are of which input, and `unknown_speakers`: the speakers of the
            options that are not in the archive. `turned` and `soured` are None if emojob does not
            know which labels are negative.
        model: The section `model` of run.json.
        labels: Labels in id order.
        meaning: Which labels are negative, alarming or of unknown meaning: the attributes of `Meaning`.
        speakers: {role: names of speakers with this role in the archive, at most MOST_SPEAKERS}.
        breakdowns: {column: rows of breakdown.sql}.
        latest: Result of the function `latest`; {} if the archive has no times.
        to_look_at: Conversations that changed to an alarming emotion: rows of to_look_at.sql, with the additional
            column `utterances`.
        drift: Drift checks of a nightly run; {} for other reports.
    """

    archive: dict[str, Any]
    model: dict[str, Any]
    labels: list[str]
    meaning: dict[str, list[str]]
    emotions: Rows
    confidences: Rows
    lengths: Rows
    typical: Rows
    uncertain: Rows
    breakdowns: dict[str, Rows]
    speakers: dict[str, list[str]] = field(default_factory=dict)
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
        """Return the figures as JSON values. Dates and times become ISO 8601 strings."""
        return {"format": FIGURES_FORMAT, **_plain(asdict(self))}


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
    with open_database(archive, options.time_zone, conversations=options.conversations) as db:
        _check_by(db, options.by)
        for name in ("hours", "extremes"):
            store(db, name)
        figures = Figures(
            archive=_totals(db, archive),
            model=dict(archive.run.get("model") or {}),
            labels=list(archive.labels),
            meaning={name: list(labels) for name, labels in asdict(meaning).items()},
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
            _add_conversations(db, archive, figures, options.conversations)
            if not meaning.is_known:
                figures.archive.update(turned=None, soured=None)
    if options.mask_pii:
        _mask(figures)
    return figures


def latest(days: Rows) -> dict[str, Any]:
    """Compare the emotions of the last day with the emotions of the earlier days (at most `BEFORE` days).

    Args:
        days: Rows of days.sql.

    Returns:
        {} if `days` is empty. Otherwise a dictionary with these keys:

        - day: The last day.
        - rows: Number of rows on the last day.
        - days_before: Number of earlier days. Days without rows are skipped.
        - rows_a_day_before: Mean number of rows on an earlier day.
        - emotions: {"emotion", "share", "before", "change"} for each emotion: share on the last day, share on the
          earlier days, and the difference.

        Without earlier days, `rows_a_day_before`, `before` and `change` are None.
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
        db: Database from `open_database`.
        archive: The labelled archive.
        column: A column of the view `labelled`.

    Returns:
        The rows of breakdown.sql.
    """
    labelled = db.view("labelled")
    columns = columns_of(labelled)
    value, emotion = columns[column].cast("VARCHAR"), columns[f"{archive.prefix}emotion"]
    view = labelled.select(value.alias("value"), emotion.alias("emotion"))
    view.create_view("broken_down", replace=True)
    return run(db, "breakdown", {"most": SHOWN_VALUES})


def _check_by(db: duckdb.DuckDBPyConnection, by: str | None) -> None:
    names = db.view("labelled").columns
    if by is not None and by not in ("day", "hour", *names):
        raise ColumnError(f"--by {by} is not a column of the archive; give day, hour, or one of {listed(names)}")


def _breakdown_columns(db: duckdb.DuckDBPyConnection, archive: LabelledArchive, by: str | None) -> list[str]:
    """Return the columns to break down: `by`, then columns with few distinct values (2 to MOST_VALUES in a sample)."""
    view = db.view("labelled")
    kinds = dict(zip(view.columns, map(str, view.types), strict=True))
    others = {archive.text_column, archive.conversation_column, archive.time_column}
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
    found.sort(key=lambda name: kinds[name] not in ("VARCHAR", "BOOLEAN"))  # text columns before number columns
    return found if by in (None, "day", "hour") else [by, *found]


def _totals(db: duckdb.DuckDBPyConnection, archive: LabelledArchive) -> dict[str, Any]:
    (totals,) = run(db, "totals")
    return {"name": archive.path.name, "inputs": len({part_file.input for part_file in archive.part_files}), **totals}


def _add_times(db: duckdb.DuckDBPyConnection, figures: Figures) -> None:
    for name in ("days", "quality", "hours_of_day", "hours_of_week"):
        setattr(figures, name, rows_of(db, name))
    if {row["hour_of_day"] for row in figures.hours_of_day} <= {0}:  # every hour is 0: the values are dates
        figures.hours_of_day, figures.hours_of_week = [], []
    figures.latest = latest(figures.days)


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
