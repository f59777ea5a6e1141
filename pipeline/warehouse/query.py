"""A user's own query over a labelled archive, which can read that archive and do nothing else."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.warehouse.aggregates import create_aggregates
from emojob.pipeline.warehouse.database import open_database
from emojob.pipeline.warehouse.sql_text import literal
from emojob.schemas.errors import OptionError

BATCH_ROWS = 65_536

_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?(\([^)]*\)\s*)?", re.IGNORECASE)
_ALLOWED = (duckdb.StatementType.SELECT, duckdb.StatementType.MULTI)  # PIVOT is a MULTI
#: What DuckDB finds before it looks at any row, so that its words hold none of theirs.
_OF_THE_QUERY = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ParserException,
    duckdb.PermissionException,
    duckdb.SyntaxException,
)
_CHANGING = {b"COPY", b"CREATE", b"DELETE", b"EXPORT", b"INSERT", b"MERGE", b"TRUNCATE", b"UPDATE"}
_WORD = re.compile(rb"\w+")
_SEVERAL_ROWS = "More than one row returned by a subquery"
_TYPE = re.compile(r" to ([A-Z][A-Z0-9_]*) when casting ")
_WHERE = re.compile(r"\s*LINE \d+:.*", re.DOTALL)


@dataclass(frozen=True)
class Answer:
    """What a query gives: its columns, and its rows as record batches, read once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


class Session:
    """A database with the views `labelled` and `utterances` whose files, settings and extensions are locked away."""

    def __init__(self, db: duckdb.DuckDBPyConnection) -> None:
        self._db = db

    def ask(self, query: str) -> Answer:
        """Run one query. Raises OptionError where it is not one that only reads, or DuckDB refuses it."""
        relation = self.relation(query)
        with _worded():
            reader = relation.to_arrow_reader(BATCH_ROWS)
        return Answer(reader.schema, _worded_batches(reader))

    def relation(self, query: str) -> duckdb.DuckDBPyRelation:
        """Return one query as a relation; `open_session` closes it.

        Raises:
            OptionError: The query is not one that only reads, or DuckDB refuses it.
        """
        with _worded():
            statement = self._only_reading(query)
        # a SELECT is only looked at here; of a PIVOT a part is run
        with _worded(duckdb.NotImplementedException if statement.type == duckdb.StatementType.SELECT else None):
            # a connection of its own, for an answer that is not read to its end would hold this one
            relation = self._db.cursor().sql(statement.query)
        if relation is None:
            raise OptionError(f"{_short(query)} gives no rows; give a SELECT")
        return relation

    def interrupt(self) -> None:
        """Stop the query that runs, from another thread or a signal handler."""
        self._db.interrupt()

    def tables(self) -> dict[str, list[tuple[str, str]]]:
        """(name, type) of the columns of each view."""
        found: dict[str, list[tuple[str, str]]] = {}
        for view, column, kind in self._db.execute(_COLUMNS).fetchall():
            found.setdefault(view, []).append((column, kind))
        return found

    def _only_reading(self, query: str) -> duckdb.Statement:
        statements = self._db.extract_statements(query)
        if len(statements) != 1:
            count = "no query" if not statements else f"{len(statements)} queries"
            raise OptionError(f"{count} in {_short(query)}; give one, such as: FROM labelled LIMIT 10")
        (statement,) = statements
        inner, kind = statement, _changing(query)
        if statement.type == duckdb.StatementType.EXPLAIN:
            rest = self._db.extract_statements(_EXPLAIN.sub("", statement.query, count=1))
            inner = rest[0] if len(rest) == 1 else statement
        if inner.type not in _ALLOWED or kind:
            aside = f'; where it is a name, write "{kind.lower()}"' if kind and inner.type in _ALLOWED else ""
            kind = kind or inner.type.name.replace("_", " ")
            raise OptionError(
                f"{kind} is not allowed here: a query reads the labelled archive and changes nothing; "
                f"give a SELECT, DESCRIBE, SUMMARIZE or EXPLAIN (-o FILE writes what it gives){aside}"
            )
        return statement


def _changing(query: str) -> str | None:
    """The first word of a query that would change something; such a one may also stand in a WITH or around a PIVOT."""
    written = query.encode()
    for at, kind in duckdb.tokenize(query):
        if kind == duckdb.token_type.keyword:
            word = _WORD.match(written, at)
            if word and word[0].upper() in _CHANGING:
                return word[0].decode().upper()
    return None


_COLUMNS = """
    SELECT view_name, column_name, data_type
    FROM duckdb_columns() AS c JOIN duckdb_views() AS v ON c.table_oid = v.view_oid
    WHERE NOT v.internal ORDER BY view_oid, column_index
"""


@contextlib.contextmanager
def open_session(archive: LabelledArchive, time_zone: str | None = None, numbered: bool = False) -> Iterator[Session]:
    """Open a labelled archive for queries. numbered: with the view `numbered`. Raises what `open_database` raises."""
    with open_database(archive, time_zone, numbered=numbered) as db:
        create_aggregates(db)
        paths = ", ".join(literal(str(part_file.file)) for part_file in archive.part_files)
        db.execute(f"SET allowed_paths = [{paths}]")
        db.execute("SET enable_external_access = false")
        db.execute("SET lock_configuration = true")
        yield Session(db)


@contextlib.contextmanager
def _worded(told: type[duckdb.Error] | None = None) -> Iterator[None]:
    """DuckDB's refusal in one line, its suggestions kept. told: what else is said as DuckDB does."""
    try:
        yield
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except (duckdb.OutOfMemoryException, duckdb.IOException):
        raise
    except duckdb.Error as error:
        if type(error) is duckdb.Error:  # of a file's bytes; DuckDB gives those of a query a kind
            raise
        if isinstance(error, _OF_THE_QUERY) or (told and isinstance(error, told)):
            raise OptionError(f"the query was refused: {_said(error)}") from None
        raise _failed(error) from None
    except UnicodeDecodeError as error:  # DuckDB's words hold bytes of a row that are no text
        raise _failed(error) from None


def _worded_batches(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    while True:
        with _worded():
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
            except (pa.ArrowException, OSError) as error:
                raise _failed(error) from None
        yield batch


def _failed(error: Exception) -> OptionError:
    """What is said of a query that failed over its rows; DuckDB's own words may quote them, and are kept back."""
    kind = str(error).partition(":")[0] if isinstance(error, duckdb.Error) else type(error).__name__
    if _SEVERAL_ROWS in str(error):
        return OptionError(f"the query failed ({kind}): {_SEVERAL_ROWS}; give it LIMIT 1, or an aggregate such as max")
    to = _TYPE.search(str(error))
    return OptionError(
        f"the query failed ({kind}): a value of the archive is not what the query takes it for"
        f"{f', {to[1]}' if to else ''}; TRY_CAST(... AS ...) and TRY(...) give null for such a value"
    )


def _said(error: Exception) -> str:
    return " ".join(_WHERE.sub("", str(error)).split())


def _short(query: str) -> str:
    folded = " ".join(query.split())
    return repr(folded if len(folded) <= 60 else folded[:57] + "...")
