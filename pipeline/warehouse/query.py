"""Runs the user's SQL queries on a labelled archive. Queries can read only this archive."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.times.time_column import TimeReading
from emojob.pipeline.warehouse.aggregates import create_aggregates
from emojob.pipeline.warehouse.database import open_database, type_conflict
from emojob.pipeline.warehouse.part_files import name_of
from emojob.pipeline.warehouse.sql_text import identifier, literal
from emojob.pipeline.warehouse.statements import in_short, reading_statement
from emojob.schemas.errors import InputError, OptionError
from emojob.schemas.options import ConversationOptions

BATCH_ROWS = 65_536

#: DuckDB raises these errors before any row is read, so the error messages contain no dialogue.
_QUERY_ERRORS = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.PermissionException,
    duckdb.SyntaxException,
)
_SEVERAL_ROWS = "More than one row returned by a subquery"
_TYPE = re.compile(r" to ([A-Z][A-Z0-9_]*) when casting ")
_POSITION = re.compile(r"\s*LINE \d+:.*", re.DOTALL)
_COLUMNS = """
    SELECT view_name, column_name, data_type
    FROM duckdb_columns() AS c JOIN duckdb_views() AS v ON c.table_oid = v.view_oid
    WHERE NOT v.internal ORDER BY view_oid, column_index
"""

#: Settings of a session. Together with PartFiles, they make the database read-only:
#: - DuckDB opens only the part files, in the file system PartFiles, which cannot write, and its own temporary files.
#: - No setting can be changed. No setting contains a password from an environment variable, or a path.
_LOCKS = (
    "SET http_proxy = ''",
    "SET http_proxy_username = ''",
    "SET http_proxy_password = ''",
    "SET secret_directory = 'none'",
    "SET allow_persistent_secrets = false",
    "SET allow_community_extensions = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


@dataclass(frozen=True)
class QueryResult:
    """Result of a query.

    Attributes:
        schema: Schema of the result.
        batches: Rows of the result. The iterator can be used only once.
    """

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


@contextlib.contextmanager
def open_session(
    archive: LabelledArchive,
    time_zone: str | None = None,
    numbered: bool = False,
    conversations: ConversationOptions | None = None,
    date_order: str | None = None,
) -> Iterator[Session]:
    """Open a labelled archive for the user's queries.

    Args:
        archive: The labelled archive.
        time_zone: Time zone for days and hours. If None, `archive_time_zone` is used.
        numbered: Whether to also create the view `numbered`.
        conversations: Options of the views about conversations. If None, the defaults are used.
        date_order: Order of dates such as 03/04/26: ymd, mdy or dmy. None: the values of the column tell the order.

    Raises:
        OptionError: The time zone, the order or a label that counts as negative is unknown.
        DataError: A part file cannot be read. Queries in the `with` block may also raise this error.
        StorageError: There is not enough memory or disk space.
    """
    readings: list[TimeReading] = []
    with open_database(
        archive,
        time_zone,
        numbered=numbered,
        conversations=conversations,
        date_order=date_order,
        on_times=readings.append,
    ) as db:
        create_aggregates(db)
        names = ", ".join(literal(name_of(number)) for number in range(len(archive.part_files)))
        db.execute(f"SET allowed_paths = [{names}]")
        for lock in _LOCKS:
            db.execute(lock)
        yield Session(db, readings[0].note(archive.time_column or ""))


class Session:
    """An open archive for read-only SQL queries.

    Attributes:
        note: Line about values of the time column that are not times; None if there are none.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection, note: str | None = None) -> None:
        self._db, self.note = db, note

    def query(self, query: str) -> QueryResult:
        """Run a query and return the result.

        Raises:
            OptionError: The query fails, or is not a single read-only statement.
        """
        relation = self.relation(query)
        with _query_errors(keep=()):
            reader = relation.to_arrow_reader(BATCH_ROWS)
        return QueryResult(reader.schema, _batches(reader))

    def relation(self, query: str) -> duckdb.DuckDBPyRelation:
        """Return the result of a query as a DuckDB relation.

        The relation is valid until the `with` block of `open_session` ends.

        Raises:
            OptionError: The query fails, or is not a single read-only statement.
        """
        with _query_errors():
            statement = reading_statement(self._db, query)
        # `sql` reads no rows of a SELECT, so DuckDB's message contains no dialogue. For PIVOT, `sql` reads rows.
        is_select = statement.type == duckdb.StatementType.SELECT
        keep = (*_QUERY_ERRORS, duckdb.NotImplementedException) if is_select else ()
        with _query_errors(keep):
            # Each query needs a new cursor. A cursor is blocked until all rows of the result are read.
            relation = self._db.cursor().sql(statement.query)
        if relation is None:
            raise OptionError(
                f"{in_short(query)} returns no result; give a query that returns rows, such as: FROM labelled LIMIT 10"
            )
        return relation

    def matching(self, where: str, column: str) -> QueryResult:
        """Return the rows that match an SQL condition. The session needs the view `numbered`.

        Args:
            where: The condition.
            column: Name of a label column.

        Returns:
            Three columns: index of the part file, index of the row in the part file, and `column`.

        Raises:
            OptionError: The query fails, or `where` is not an SQL condition.
        """
        wanted = ", ".join(map(identifier, [*self._db.view("numbered").columns[-2:], column]))
        return self.query(f"SELECT {wanted} FROM numbered WHERE ({where}\n)")  # noqa: S608 - the session only reads

    def interrupt(self) -> None:
        """Stop the running query. A signal handler or a second thread may call this method."""
        self._db.interrupt()

    def tables(self) -> dict[str, list[tuple[str, str]]]:
        """Return the columns of all views: {view: [(column, type)]}."""
        found: dict[str, list[tuple[str, str]]] = {}
        for view, column, kind in self._db.execute(_COLUMNS).fetchall():
            found.setdefault(view, []).append((column, kind))
        return found


def _batches(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    while True:
        with _query_errors(keep=()):
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
            except (pa.ArrowException, OSError) as error:
                raise _failed(error) from None
        yield batch


# -- errors ------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _query_errors(keep: tuple[type[duckdb.Error], ...] = _QUERY_ERRORS) -> Iterator[None]:
    """Convert DuckDB's errors about a query to OptionError.

    Only errors of the types in `keep` keep DuckDB's message. The message of any other error may contain dialogue.
    """
    try:
        yield
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except (duckdb.OutOfMemoryException, duckdb.IOException):
        raise
    except duckdb.Error as error:
        # For a damaged part file, DuckDB raises `duckdb.Error`. For an error in a query, DuckDB raises a subclass.
        if type(error) is duckdb.Error:
            raise
        if keep and isinstance(error, keep):
            raise OptionError(f"DuckDB refused the query: {_one_line(error)}") from None
        raise _failed(error) from None
    except UnicodeDecodeError as error:  # DuckDB's message quotes bytes that are not valid UTF-8
        raise _failed(error) from None


def _failed(error: Exception) -> InputError:
    """Return the error for a query that failed on a row.

    The error does not contain DuckDB's message, because DuckDB's message may contain dialogue.
    """
    if conflict := type_conflict(error):
        return conflict
    kind = str(error).partition(":")[0] if isinstance(error, duckdb.Error) else type(error).__name__
    if isinstance(error, _QUERY_ERRORS):
        return OptionError(
            f"the query failed ({kind}): check the names of the columns, functions and views (SHOW TABLES lists the "
            "views, and DESCRIBE labelled lists the columns)"
        )
    if _SEVERAL_ROWS in str(error):
        return OptionError(
            f"the query failed ({kind}): {_SEVERAL_ROWS}; add LIMIT 1 or an aggregate such as max to the subquery"
        )
    wanted = _TYPE.search(str(error))
    return OptionError(
        f"the query failed ({kind}): a value of the archive has the wrong type"
        f"{f' (needed: {wanted[1]})' if wanted else ''}; use TRY_CAST(... AS ...) or TRY(...) to get null instead"
    )


def _one_line(error: Exception) -> str:
    return " ".join(_POSITION.sub("", str(error)).split())
