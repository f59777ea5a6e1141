"""Chooses the conversations of a labelled archive to draft replies for.

By default, these are the conversations to look at: those of the report (the aggregate `soured`), those whose last
utterance of a customer is negative, and those in which a customer speaks of suicide or self-harm. With a condition,
these are the conversations with an utterance that matches it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

import duckdb
import pyarrow as pa

from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.replies.drafts.examples import example, where_option
from emojob.pipeline.rules.crisis import speaks_of_crisis
from emojob.pipeline.times.time_reading import TimeReading
from emojob.pipeline.warehouse.aggregates import store
from emojob.pipeline.warehouse.database import open_database
from emojob.pipeline.warehouse.queries.condition import ensure_one_column
from emojob.pipeline.warehouse.queries.errors import batches_of, query_errors
from emojob.pipeline.warehouse.query import Session, open_session
from emojob.pipeline.warehouse.sql_text import identifier
from emojob.schemas.errors import OptionError
from emojob.schemas.labels import meaning_of
from emojob.schemas.messages import listed
from emojob.schemas.options import ConversationOptions

#: Number of utterances in which the crisis rule looks at a time.
CRISIS_ROWS = 65_536


@dataclass(frozen=True)
class Selection:
    """Which conversations get drafts.

    Attributes:
        where: SQL condition on the columns of the view `labelled`; None: the conversations to look at.
        conversations: Options of the figures about conversations.
        time_zone: Time zone of `said_at`. None: the time zone of the archive.
        date_order: Order of dates such as 03/04/26: ymd, mdy or dmy. None: the values of the column tell the order.
    """

    where: str | None = None
    conversations: ConversationOptions = field(default_factory=ConversationOptions)
    time_zone: str | None = None
    date_order: str | None = None


@contextlib.contextmanager
def open_chosen(
    archive: LabelledArchive, selection: Selection
) -> Iterator[tuple[duckdb.DuckDBPyConnection, str | None]]:
    """Open a database with the table `chosen`. Yield (database, line about values that are not times).

    A condition of the user needs a session, which can read only the archive.

    Raises:
        OptionError: No condition is given, and the archive cannot tell which conversations ended badly; or the
            condition is invalid.
        DataError: A part file cannot be read.
        StorageError: There is not enough memory or disk space.
    """
    options, zone, order = selection.conversations, selection.time_zone, selection.date_order
    if selection.where is not None:
        with open_session(archive, zone, numbered=True, conversations=options, date_order=order) as session:
            _store(session.database, "shared_ids", "speakers", "conversation_roles")
            _find_matching(session, archive, selection.where)
            yield session.database, session.note
        return
    _ensure_lookable(archive, options)
    readings: list[TimeReading] = []
    with open_database(
        archive, zone, numbered=True, conversations=options, date_order=order, on_times=readings.append
    ) as db:
        _store(db, "shared_ids", "speakers", "conversation_roles", "talks", "turns", "soured")
        _find_crises(db)
        db.execute(sql("to_look_at"))
        yield db, readings[0].note(archive.time_columns or "")


def others(db: duckdb.DuckDBPyConnection, archive: LabelledArchive, count: int, options: ConversationOptions) -> str:
    """Return the option --where for the negative label that the most conversations of customers have.

    Args:
        db: The database of `open_chosen`.
        archive: The archive.
        count: Number of conversations that are chosen already. If the label does not have more, the result is "".
        options: Options of the figures about conversations.
    """
    negative = meaning_of(archive.labels, options.negative).negative
    found = db.execute(sql("frequent_label"), {"labels": list(negative)}).fetchone()
    return where_option(archive, found[0]) if found and found[1] > count else ""


def batches(db: duckdb.DuckDBPyConnection, query: str, rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a query of emojob in batches of `rows` rows. Only a few batches are in memory at once."""
    yield from batches_of(db.sql(query).to_arrow_reader(rows))


def crisis_rows(batch: pa.RecordBatch) -> pa.Array:
    """Return the values in the first column of a batch where the text in the second column meets the crisis rule."""
    texts = batch.column(1).dictionary_encode()  # many texts repeat, such as 감사합니다
    is_crisis = speaks_of_crisis(texts.dictionary.to_pylist())[texts.indices.to_numpy()]
    return batch.column(0).filter(pa.array(is_crisis))


def positions(db: duckdb.DuckDBPyConnection) -> Sequence[str]:
    """Return the quoted names of the columns with the number of the part file, and of the row in it."""
    return [identifier(name) for name in db.view("numbered").columns[-2:]]


def sql(name: str) -> str:
    """Return the query in sql/NAME.sql."""
    return (files(__name__.rpartition(".")[0]) / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def _store(db: duckdb.DuckDBPyConnection, *names: str) -> None:
    """Store the results of aggregates in tables. Otherwise, each query would compute them again."""
    for name in names:
        store(db, name)


def _ensure_lookable(archive: LabelledArchive, options: ConversationOptions) -> None:
    """Raise OptionError if the archive cannot tell which conversations ended badly."""
    if archive.conversation_column is None:
        raise OptionError(
            f"{archive.path} has no conversations, so no conversation turned bad: choose utterances with "
            f"{example(archive)}, or score the input again with --conversation-column"
        )
    if not meaning_of(archive.labels, options.negative).is_known:
        raise OptionError(
            f"emojob does not know which of the labels {listed(archive.labels)} are negative, so it cannot find the "
            "conversations that turned bad: name the negative labels with --negative, or choose utterances with "
            f"{example(archive)}"
        )


def _find_crises(db: duckdb.DuckDBPyConnection) -> None:
    """Create the table `crises`: the conversations in which somebody but an agent speaks of suicide or self-harm."""
    found = [crisis_rows(batch) for batch in batches(db, sql("texts_of_customers"), CRISIS_ROWS)]
    talks = pa.chunked_array(found, pa.uint64())
    db.register("crisis_talks", pa.table({"talk": talks}))
    db.execute("CREATE TABLE crises AS SELECT DISTINCT talk FROM crisis_talks")
    db.unregister("crisis_talks")


def _find_matching(session: Session, archive: LabelledArchive, where: str) -> None:
    """Create the table `chosen` from the rows that match a condition of the user."""
    ensure_one_column(archive, session.condition(where))
    session.refuse_numbers_as_texts(where)
    part, row = positions(session.database)
    query = f"SELECT {part} AS part, {row} AS row FROM numbered AS labelled WHERE ({where}\n)"  # noqa: S608 - only reads
    relation = session.relation(query)
    with query_errors(keep=()):
        relation.create("matched")
    session.database.execute(sql("matching"))
