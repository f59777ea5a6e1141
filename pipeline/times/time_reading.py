"""How a time column is read, and which of its values are not times."""

from __future__ import annotations

from dataclasses import dataclass

from emojob.pipeline.times.day_and_clock import ClockReading
from emojob.schemas.columns import PAIR_MARK
from emojob.schemas.messages import counted


@dataclass(frozen=True)
class TimeReading:
    """How the values of a time column are read.

    Attributes:
        short_order: Order of dates whose year has two digits: ymd, dmy, mdy; empty if unknown.
        long_order: Order of dates such as 03/04/2026: dmy, mdy; empty if unknown.
        refused: Shapes whose values become null, because they may have another meaning; see all_forms.sql.
        unread: Number of values that are not blank, but become null.
        undecided: Number of these values that are dates in an unknown order.
        unclear: Number of these values that may have several meanings, and no order of dates tells which.
        serials: Number of these values that look like Excel's day numbers.
        form: Form of most of these values: digits are 9, letters are a.
        values: Number of values that are not blank, if some of them become null; otherwise 0.
        is_common: Whether the parser of the common forms reads all values that are times.
        clock: How the column with the times of day is read; None if one column has the times.
    """

    short_order: str = ""
    long_order: str = ""
    refused: str = ""
    unread: int = 0
    undecided: int = 0
    unclear: int = 0
    serials: int = 0
    form: str = ""
    values: int = 0
    is_common: bool = False
    clock: ClockReading | None = None

    @property
    def others(self) -> int:
        """Number of values that are not times in any form."""
        return self.unread - self.undecided - self.unclear - self.serials

    @property
    def unread_share(self) -> float:
        """Share of the values that are not blank, but become null, from 0 to 1."""
        return self.unread / self.values if self.values else 0.0

    @property
    def is_joined(self) -> bool:
        """Whether the times are joined from two columns."""
        return self.clock is not None and self.clock.is_used

    def note(self, column: str) -> str | None:
        """Return one line about the values that become null, and what the user can do; None if there are none.

        Args:
            column: Name of the time column, or two names such as `date+time`.
        """
        day, _, clock = column.partition(PAIR_MARK) if self.clock else (column, "", "")
        name = f"the columns {day} and {clock}" if self.is_joined else f"the column {day}"
        notes = self._reasons(name)
        if notes and self.form:
            notes.append(f"most of these values look like {self.form} (9: a digit, a: a letter)")
        if notes and self.unread == self.values:
            another = "; --time-column names another column" if self.others == self.unread else ""
            notes.append(f"no value of {name} is a time{another}")
        if self.clock and not self.is_joined:
            notes.append(f"most rows have no time of day in the column {clock}, so the times are those of {name} alone")
        return "; ".join(notes) or None

    def _reasons(self, name: str) -> list[str]:
        """Return a text for each reason why values of the column become null."""
        notes = []
        if self.undecided:
            notes.append(
                f"{_values(self.undecided, name)} can be read with the day, the month or the year first, so these "
                "times stay empty; give the order with --date-order ymd, mdy or dmy"
            )
        if self.unclear:
            notes.append(
                f"{_values(self.unclear, name)} may have several meanings (for example YYMMDDHHMM or seconds since "
                "1970; year-month-day or year-day-month), so these times stay empty; convert these values to "
                "YYYY-MM-DD HH:MM"
            )
        if self.serials:
            verb = "looks" if self.serials == 1 else "look"
            notes.append(
                f"{_values(self.serials, name)} {verb} like Excel's day numbers, so these times stay empty; give the "
                "workbook (.xlsx) itself, or format the column in Excel as yyyy-mm-dd hh:mm and save the file again"
            )
        if self.others:
            verb = "is not a time" if self.others == 1 else "are not times"
            if notes:
                notes.append(f"{counted(self.others, 'other value')} {verb}")
            else:
                notes.append(f"{_values(self.others, name)} {verb}, so these times stay empty")
        return notes


def _values(count: int, name: str) -> str:
    return f"{counted(count, 'value')} of {name}"
