"""Finds out what `--by` of `emojob report` names: the day or the hour of the times, or a column."""

from __future__ import annotations

from collections.abc import Iterable

from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.schemas.column_names import listed_columns
from emojob.schemas.columns import in_sql
from emojob.schemas.errors import ColumnError

#: Values of --by that mean the times, if the archive has times.
OF_TIMES = ("day", "hour")


def grouping_column(by: str | None, names: Iterable[str], has_times: bool) -> str | None:
    """Return the column that a value of --by names; None for the day, the hour, and no value.

    Args:
        by: Value of --by: day, hour, or the name of a column, as it is or in double quotes.
        names: Names of the columns.
        has_times: Whether the archive has a time column. Without one, day and hour can only be columns.

    Raises:
        ColumnError: No column has this name.
    """
    names = list(names)
    if by is None or (by in OF_TIMES and (has_times or by not in names)):
        return None
    plain = by[1:-1].replace('""', '"') if len(by) > 2 and by[0] == by[-1] == '"' else by
    found = next((name for name in (by, plain) if name in names), None)
    if found is None:
        raise ColumnError(
            f"--by {by} is not a column of the archive; give day, hour, or one of {listed_columns(names)}"
        )
    return found


def grouping_note(by: str | None, archive: LabelledArchive) -> str | None:
    """Return the line that tells which of two meanings of --by is used; None if there is only one."""
    others = {archive.time_column, archive.clock_column}
    same = next((name for name in archive.columns if in_sql(name) == by and name not in others), None)
    if by not in OF_TIMES or same is None:
        return None
    if archive.time_column is None:
        return f"--by {by} groups by the column {same}, because the archive has no times" if same == by else None
    other = f"'\"{same}\"'" if same == by else same
    return (
        f"--by {by} groups by the {by} of the times ({archive.time_columns}); to group by the column {same}, give "
        f"--by {other}"
    )
