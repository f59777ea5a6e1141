"""Runs the user's SQL queries on a labelled archive. Queries can read only this archive."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.times.time_reading import TimeReading
from emojob.pipeline.warehouse.aggregates import INTERNAL_VIEWS, AggregateViews
from emojob.pipeline.warehouse.database import open_database
from emojob.pipeline.warehouse.exact_texts import nested_texts
from emojob.pipeline.warehouse.part_files import name_of
from emojob.pipeline.warehouse.queries.column_types import with_exact_types, with_unique_names
from emojob.pipeline.warehouse.queries.comparisons import in_any_form, refuse_numbers_as_texts
from emojob.pipeline.warehouse.queries.condition import Condition, parse_condition
from emojob.pipeline.warehouse.queries.errors import QUERY_ERRORS, batches_of, query_errors
from emojob.pipeline.warehouse.queries.nested_texts import named_column, refuse_nested_use, refuse_other_form
from emojob.pipeline.warehouse.queries.statements import in_short, reading_statement
from emojob.pipeline.warehouse.rejected_rows import create_rejects, rejects_of
from emojob.pipeline.warehouse.sql_text import identifier, literal
from emojob.pipeline.warehouse.views import archive_time_zone
from emojob.schemas.blank import is_blank
from emojob.schemas.errors import ColumnError, OptionError
from emojob.schemas.options import ConversationOptions

BATCH_ROWS = 65_536

_EXAMPLE = '"confidence > 0.9"'
_INTERNAL = ", ".join(map(literal, INTERNAL_VIEWS))
_COLUMNS = f"""
    SELECT view_name, column_name, data_type
    FROM duckdb_columns() AS c JOIN duckdb_views() AS v ON c.table_oid = v.view_oid
    WHERE NOT v.internal AND view_name NOT IN ({_INTERNAL}) ORDER BY view_oid, column_index
"""  # noqa: S608 - the names are constants

#: DuckDB's messages about an operation that texts do not have.
_NO_TEXT = re.compile(r"Cannot extract field|No function matches|UNNEST|explicit cast|Could not choose")

_SHOW_TABLES = re.compile(r"\s*show\s+tables\s*;?\s*", re.IGNORECASE)
_TABLES = f"""
    SELECT view_name AS name FROM duckdb_views() WHERE NOT internal AND view_name NOT IN ({_INTERNAL}) ORDER BY name
"""  # noqa: S608 - the names are constants

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
        rejects, number = rejects_of(archive), len(archive.part_files)
        create_rejects(db, rejects, [name_of(number)])
        names = ", ".join(literal(name_of(one)) for one in range(number + len(rejects)))
        db.execute(f"SET allowed_paths = [{names}]")
        for lock in _LOCKS:
            db.execute(lock)
        note = readings[0].note(archive.time_columns or "")
        yield Session(db, AggregateViews(db), readings[0], note, nested_texts(archive))


@dataclass(frozen=True)
class SessionTypes:
    """How a session reads the columns of an archive.

    Attributes:
        types: {column: DuckDB's type}.
        zone: Time zone of the column said_at.
        session_zone: Time zone in which DuckDB reads times without a zone in a query.
        reading: How the time column is read.
    """

    types: dict[str, str]
    zone: str
    session_zone: str
    reading: TimeReading


class Session:
    """An open archive for read-only SQL queries.

    Attributes:
        note: Line about values of the time column that are not times; None if there are none.
    """

    def __init__(
        self,
        db: duckdb.DuckDBPyConnection,
        views: AggregateViews,
        reading: TimeReading,
        note: str | None,
        nested: Mapping[str, str],
    ) -> None:
        self._db, self._views, self._reading, self.note, self._nested = db, views, reading, note, nested

    @property
    def database(self) -> duckdb.DuckDBPyConnection:
        """The database, for statements of emojob. It is locked: a statement can read only the archive."""
        return self._db

    def query(self, query: str, typed: bool = False) -> QueryResult:
        """Run a query and return the result. The columns have unique names.

        Args:
            query: The user's query.
            typed: Whether the result is for a format with types (Parquet). Otherwise, more types become strings.

        Raises:
            OptionError: The query fails, or is not a single read-only statement.
        """
        relation = self.relation(query)
        with query_errors(keep=()):
            reader = with_exact_types(relation, typed).to_arrow_reader(BATCH_ROWS)
        return QueryResult(reader.schema, batches_of(reader))

    def relation(self, query: str) -> duckdb.DuckDBPyRelation:
        """Return the result of a query as a DuckDB relation. The columns have unique names.

        The relation is valid until the `with` block of `open_session` ends.

        Raises:
            OptionError: The query fails, or is not a single read-only statement.
        """
        if _SHOW_TABLES.fullmatch(query):
            query = _TABLES
        self._views.create_for(query)
        with query_errors():
            statement = reading_statement(self._db, query)
        # `sql` reads no rows of a SELECT, so DuckDB's message contains no dialogue. For PIVOT, `sql` reads rows.
        is_select = statement.type == duckdb.StatementType.SELECT
        if self._nested and is_select:
            refuse_nested_use(self._db, statement.query, self._nested)
        keep = (*QUERY_ERRORS, duckdb.NotImplementedException) if is_select else ()
        with query_errors(keep):
            # Each query needs a new cursor. A cursor is blocked until all rows of the result are read.
            try:
                relation = self._run(statement.query)
            except duckdb.BinderException as error:
                self._explain(statement.query, str(error))
                raise
        if relation is None:
            raise OptionError(
                f"{in_short(query)} returns no result; give a query that returns rows, such as: FROM labelled LIMIT 10"
            )
        with query_errors(keep):
            return with_unique_names(relation)

    def _run(self, query: str) -> duckdb.DuckDBPyRelation | None:
        try:
            return self._db.cursor().sql(query)
        except duckdb.CatalogException:
            if not self._views.create_all():
                raise
            return self._db.cursor().sql(query)  # DuckDB's message proposes names of views

    def _explain(self, query: str, message: str) -> None:
        """Raise ColumnError if a query that DuckDB refused names a column that needs another expression."""
        is_about_type = self._nested and _NO_TEXT.search(message)
        named = named_column(self._db, query, self._nested) if is_about_type else None
        if named is not None:
            raise ColumnError(self._nested[named]) from None
        refuse_other_form(self._db, query, self._db.view("labelled").columns)

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
        # The condition names the columns of the view `labelled`.
        return self.query(f"SELECT {wanted} FROM numbered AS labelled WHERE ({where}\n)")  # noqa: S608 - only reads

    def types(self, archive: LabelledArchive, view: str) -> SessionTypes:
        """Return how the session reads the columns of a view. The session must have the time zone of the archive."""
        rows = self._db.view(view)
        types = {name: str(kind) for name, kind in zip(rows.columns, rows.types, strict=True)}
        (zone,) = self._db.execute("SELECT current_setting('TimeZone')").fetchall()[0]
        return SessionTypes(types, archive_time_zone(self._db, archive, rows), str(zone), self._reading)

    def condition(self, text: str) -> Condition:
        """Return an SQL condition on the view `labelled`, with its column names.

        Raises OptionError if the condition is blank, or is no expression. Otherwise, it is not checked.
        """
        if is_blank(text):
            raise OptionError(f"--where {text!r} is blank: give a condition on the columns, such as --where {_EXAMPLE}")
        with query_errors():  # without parentheses, because a message about them would be about none of the user's
            self._db.extract_statements(f"SELECT 1 WHERE {text}")
        return parse_condition(self._db, text, "labelled", self._db.view("labelled").columns)

    def refuse_numbers_as_texts(self, where: str) -> None:
        """Raise OptionError if a condition compares a text with a number. The session needs the view `numbered`."""
        self._views.create_for(where)
        with query_errors():
            reading_statement(self._db, f"SELECT 1 FROM numbered AS labelled WHERE ({where}\n)")  # noqa: S608
        refuse_numbers_as_texts(self._db, where)

    def count_other_forms(self, where: str) -> int:
        """Return the number of rows that match a condition, or do not match it, only because of a Unicode form.

        The session needs the view `numbered`. The condition must be valid.
        """
        self._views.create_for(where)
        equal = in_any_form(self._db, where)
        if equal is None:
            return 0
        differ = f"(({equal}) IS TRUE) <> (({where}\n) IS TRUE)"
        rows = self.query(f"SELECT count(*) FROM numbered AS labelled WHERE {differ}")  # noqa: S608 - only reads
        ((count,),) = (batch.columns for batch in rows.batches)
        return int(count[0].as_py())

    def interrupt(self) -> None:
        """Stop the running query. A signal handler or a second thread may call this method."""
        self._db.interrupt()

    def tables(self) -> dict[str, list[tuple[str, str]]]:
        """Return the columns of the views, without INTERNAL_VIEWS: {view: [(column, type)]}."""
        self._views.create_all()
        found: dict[str, list[tuple[str, str]]] = {}
        for view, column, kind in self._db.execute(_COLUMNS).fetchall():
            found.setdefault(view, []).append((column, kind))
        return found
