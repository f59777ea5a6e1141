"""Opens a labelled archive in Python, for SQL queries, PyArrow and Polars."""

from __future__ import annotations

import atexit
import contextlib
import glob
import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from emojob.pipeline.output.labelled_archive import LabelledArchive, PartFile, changed, open_labelled
from emojob.pipeline.reading.schema import united
from emojob.pipeline.storage.paths import parse_path
from emojob.pipeline.warehouse.query import Session, open_session
from emojob.schemas.errors import ChangedError, OutputError
from emojob.schemas.options import ConversationOptions, check_date_order

if TYPE_CHECKING:
    import duckdb
    import polars as pl

#: Pattern of the names of the part files in OUT.
PART_FILES = "part-*.parquet"

_TRIES = 5  # maximum number of times that all rows are read, if other commands change the archive

#: Archives with an open database. The set keeps the archives in memory, because relations need the open database.
_in_use: set[OpenArchive] = set()


class OpenArchive:
    """An open labelled archive, from `emojob.open`. Use a `with` statement, or call `close`."""

    def __init__(
        self,
        archive: LabelledArchive,
        time_zone: str | None = None,
        conversations: ConversationOptions | None = None,
        date_order: str | None = None,
    ) -> None:
        self._archive, self._time_zone, self._conversations = archive, time_zone, conversations
        self._date_order = date_order
        self._stack = contextlib.ExitStack()
        self._session: Session | None = None
        self._closed = False

    @property
    def run(self) -> dict[str, Any]:
        """Contents of run.json: state, model, options, counts, versions."""
        return self._archive.run

    @property
    def path_pattern(self) -> str:
        """Pattern of the part files, for tools that do not read a folder with other files in it.

        `polars.scan_parquet`, `datasets.load_dataset("parquet", data_files=...)` and DuckDB's `read_parquet` take it.
        For a single labelled file, the pattern is its path.
        """
        path = self._archive.path
        if isinstance(path, Path):
            text = glob.escape(str(path.absolute()))
            return os.path.join(text, PART_FILES) if path.is_dir() else text  # noqa: PTH118 - a pattern is no path
        return f"{path}/{PART_FILES}" if path.is_dir() else str(path)

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """Return the result of a query as a DuckDB relation.

        The relation is valid until the archive is closed. The query can read only the views of the archive: `labelled`,
        `utterances` and the aggregates.

        Raises:
            OptionError: The query is not a single read-only statement, or DuckDB refuses the query.
            DataError: A part file cannot be read.
        """
        self._ensure_open()
        if self._session is not None and not self._archive.is_current():
            # `emojob forget` has replaced part files. Relations of the old session stay valid until `close`, but their
            # part files are missing.
            self._archive, self._session = open_labelled(self._archive.path), None
        if self._session is None:
            self._session = self._stack.enter_context(
                open_session(
                    self._archive, self._time_zone, conversations=self._conversations, date_order=self._date_order
                )
            )
            _in_use.add(self)
        return self._session.relation(query)

    def to_arrow(self) -> pa.Table:
        """Return all rows as a PyArrow table, in the order of the input. The label columns come last.

        Raises:
            DataError: A part file cannot be read.
            ColumnError: The part files have different types of a column, and no type holds all values.
        """
        self._ensure_open()
        for _ in range(_TRIES):
            with contextlib.suppress(ChangedError):
                return united(list(map(self._read, self._archive.part_files))).replace_schema_metadata(None)
            self._archive = open_labelled(self._archive.path)
        raise changed(self._archive.path)

    def to_polars(self) -> pl.DataFrame:
        """Return all rows as a Polars data frame, in the order of the input."""
        import polars as pl

        frame = pl.from_arrow(self.to_arrow())
        assert isinstance(frame, pl.DataFrame)  # noqa: S101 - for the type checker
        return frame

    def _read(self, part_file: PartFile) -> pa.Table:
        with self._archive.open_part(part_file) as parquet:
            return parquet.read()

    def close(self) -> None:
        """Close the archive. Relations from `sql` become invalid."""
        self._closed = True
        _in_use.discard(self)
        self._stack.close()

    def __enter__(self) -> OpenArchive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<emojob archive {self._archive.path}{', closed' if self._closed else ''}>"

    def _ensure_open(self) -> None:
        if self._closed:
            raise OutputError(f"{self._archive.path} is closed: call emojob.open() again")


def open_archive(
    out: str | PathLike[str],
    time_zone: str | None = None,
    *,
    conversation_scope: str = "auto",
    negative: str | Sequence[str] = (),
    customer_speaker: str | Sequence[str] = (),
    agent_speaker: str | Sequence[str] = (),
    date_order: str | None = None,
) -> OpenArchive:
    """Open a labelled archive for reading.

    Args:
        out: Path or URL of the output of `emojob score`.
        time_zone: Time zone for days and hours in SQL. If None, the time zone of the archive or Asia/Seoul is used.
        conversation_scope: Whether equal conversation IDs in two inputs are one conversation: auto, input or archive.
        negative: Labels that count as negative. If empty, the names of the labels decide.
        customer_speaker: Speakers who are customers, in addition to the usual names.
        agent_speaker: Speakers who are agents, in addition to the usual names.
        date_order: Order of dates such as 03/04/26: ymd, mdy or dmy. If None, the values of the time column tell the
            order.

    Raises:
        OptionError: A value is wrong.
        OutputError: `out` is not a labelled archive, or contains no complete part file.
    """
    check_date_order(date_order)
    names = [(one,) if isinstance(one, str) else tuple(one) for one in (negative, customer_speaker, agent_speaker)]
    conversations = ConversationOptions(conversation_scope, *names)
    return OpenArchive(open_labelled(parse_path(str(out))), time_zone, conversations, date_order)


@atexit.register
def _close_all() -> None:
    for archive in list(_in_use):
        archive.close()
