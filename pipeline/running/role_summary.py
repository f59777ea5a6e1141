"""Says which columns serve as text, time, conversation and speaker, and how many times cannot be read.

The times are those of a sample, so that a large archive takes no longer than a small one.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from emojob.pipeline.output.labelled_archive import LabelledArchive, open_labelled
from emojob.pipeline.reading.dataset import Dataset, read_batches
from emojob.pipeline.reading.schema import own_names
from emojob.pipeline.running.roles import with_earlier_roles
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.times.time_column import utc_times
from emojob.pipeline.times.time_reading import TimeReading
from emojob.schemas.columns import PAIR_MARK, find_roles
from emojob.schemas.options import ScoreOptions

_PLACES, _ROWS = 4, 4_096  # number of files of the sample, and maximum number of rows of each


@dataclass(frozen=True)
class RoleSummary:
    """The columns with a role.

    Attributes:
        columns: {role: name of the column or None}, in this order: text, time, conversation, speaker. Two columns with
            the day and the time of day are one name, such as `date+time`.
        rows: Number of rows of the sample.
        is_sample: Whether there are more rows.
        reading: How the times of the sample are read; None without a time column.
    """

    columns: dict[str, str | None]
    rows: int = 0
    is_sample: bool = False
    reading: TimeReading | None = None

    def completed(self, other: RoleSummary) -> RoleSummary:
        """Return the columns, in which columns of another summary take the place of missing ones."""
        columns = {role: name or other.columns[role] for role, name in self.columns.items()}
        return replace(self if self.columns["time"] else other, columns=columns)

    @property
    def line(self) -> str:
        """The columns in one line, with the option that names a missing one."""
        return ", ".join(f"{role} {name or f'none (--{role}-column)'}" for role, name in self.shown.items())

    @property
    def shown(self) -> dict[str, str | None]:
        """The columns, with names as a message shows them."""
        return {
            role: PAIR_MARK.join(map(_shown, name.split(PAIR_MARK))) if name else None
            for role, name in self.columns.items()
        }

    @property
    def time_note(self) -> str | None:
        """A line about values of the time column that are not times; None if there are none."""
        note = self.reading.note(self.columns["time"] or "") if self.reading else None
        if note is None or self.reading is None:
            return None
        share = f"{self.reading.unread_share:.0%} of the times cannot be read: " if self.reading.unread else ""
        return f"{share}{f'in a sample of {self.rows:,} rows, ' * self.is_sample}{note}"


def _shown(name: str) -> str:
    """Return a name for the line. It is a usual name or one that the user gave, so it is no value."""
    return name if name.isprintable() else repr(name)


def roles_of_dataset(dataset: Dataset, options: ScoreOptions, before: Mapping[str, Any] | None = None) -> RoleSummary:
    """Return the columns with a role in the inputs of a run.

    Args:
        dataset: The opened inputs.
        options: Options of the run.
        before: Contents of run.json of the run before, whose columns stay if the options name no others.

    Raises:
        DataError: An input cannot be read.
    """
    names, text = dataset.schema.names, dataset.text_column
    options = with_earlier_roles(options, before or {})
    roles = find_roles(names, text, options.conversation_column, options.time_column, options.speaker_column)
    columns = _columns(text, roles.times, roles.conversation, roles.speaker)
    if not roles.times:
        return RoleSummary(columns)
    sources = dataset.sources[:: max(1, len(dataset.sources) // _PLACES)][:_PLACES]
    tables, is_sample = [], len(sources) < len(dataset.sources)
    for source in sources:
        batches = [one.batch for one in itertools.islice(read_batches(dataset, source, 0, _ROWS, roles.times), 2)]
        is_sample = is_sample or len(batches) > 1
        tables += [pa.Table.from_batches([batch]).select(list(roles.times)) for batch in batches[:1]]
    return _summary(columns, tables, roles.times, is_sample)


def roles_of_archive(out: AnyPath, options: ScoreOptions | None = None) -> RoleSummary:
    """Return the columns with a role in a labelled archive.

    Args:
        out: The archive.
        options: Options of the next run, which may name other columns.

    Raises:
        InputError, DataError: The archive cannot be read.
    """
    archive = open_labelled(out)
    text, options = archive.run.get("text_column"), options or ScoreOptions()
    roles = find_roles(
        archive.columns,
        text,
        options.conversation_column or archive.conversation_column,
        options.time_column or archive.time_columns,
        options.speaker_column or archive.speaker_column,
    )
    columns = _columns(text, roles.times, roles.conversation, roles.speaker)
    return _summary(columns, *_sampled(archive, roles.times)) if roles.times else RoleSummary(columns)


def _sampled(archive: LabelledArchive, times: tuple[str, ...]) -> tuple[list[pa.Table], tuple[str, ...], bool]:
    """Return (tables with the time columns, these columns, whether the archive has more rows)."""
    parts = archive.part_files[:: max(1, len(archive.part_files) // _PLACES)][:_PLACES]
    tables, is_sample = [], len(parts) < len(archive.part_files)
    for part in parts:
        with archive.open_part(part) as parquet:
            own = own_names(parquet.schema_arrow, times)
            batch = next(parquet.iter_batches(_ROWS, columns=list(own.values())), None)
            is_sample = is_sample or parquet.metadata.num_rows > _ROWS
        if batch is not None and len(own) == len(times):
            tables.append(pa.Table.from_batches([batch]).select([own[name] for name in times]).rename_columns(times))
    return tables, times, is_sample


def _columns(
    text: str | None, times: Sequence[str], conversation: str | None, speaker: str | None
) -> dict[str, str | None]:
    return {
        "text": text, "time": PAIR_MARK.join(times) or None, "conversation": conversation, "speaker": speaker
    }  # fmt: skip


def _summary(
    columns: dict[str, str | None], tables: Sequence[pa.Table], times: Sequence[str], is_sample: bool
) -> RoleSummary:
    if not tables or any(one.schema.types != tables[0].schema.types for one in tables[1:]):
        tables = tables[:1]
    if not tables:
        return RoleSummary(columns)
    found = pa.concat_tables([one.replace_schema_metadata(None) for one in tables])
    values = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column for column in found
    ]
    reading = utc_times(values[0], None, values[1] if len(times) > 1 else None)[1]
    return RoleSummary(columns, len(found), is_sample, reading)
