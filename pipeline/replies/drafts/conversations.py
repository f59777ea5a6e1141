"""Finds the conversations of a labelled archive to draft replies for, and reads their last turns.

The conversations are those to look at (the aggregate `soured`, as in the report), or those with an utterance that
matches an SQL condition. A reply answers the last utterance of a customer. Which utterances are those of customers is
decided as in the figures about conversations (see pipeline/warehouse/sql/conversations/).
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from operator import itemgetter

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emojob.pipeline.output.labelled_archive import LabelledArchive, text_column_of
from emojob.pipeline.replies.drafts.examples import example, where_option
from emojob.pipeline.rules.crisis import speaks_of_crisis
from emojob.pipeline.times.time_reading import TimeReading
from emojob.pipeline.warehouse.aggregates import store
from emojob.pipeline.warehouse.database import open_database
from emojob.pipeline.warehouse.queries.condition import ensure_one_column
from emojob.pipeline.warehouse.queries.errors import batches_of, query_errors
from emojob.pipeline.warehouse.query import Session, open_session
from emojob.pipeline.warehouse.sql_text import identifier
from emojob.schemas.columns import in_sql
from emojob.schemas.errors import OptionError
from emojob.schemas.labels import meaning_of
from emojob.schemas.messages import listed
from emojob.schemas.options import ConversationOptions
from emojob.schemas.roles import AGENT, CUSTOMER

#: Maximum number of turns before the utterance that is answered.
TURNS_BEFORE = 6

_BATCH_ROWS, _CRISIS_ROWS = 8_192, 65_536  # utterances in a batch
_FLAGS = "flags"
_FEW = 10  # conversations


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


@dataclass(frozen=True)
class Turn:
    """An utterance before the one that is answered.

    Attributes:
        who: CUSTOMER, AGENT or "other" (see turns.sql).
        text: The utterance; None if it has no text.
    """

    who: str
    text: str | None


@dataclass(frozen=True)
class Conversation:
    """A conversation with its last utterance of a customer. Personal data is not masked.

    Attributes:
        number: Number of the conversation in the list, from 1. A number may be missing.
        conversation_id: ID of the conversation; None if the archive has none.
        turn: Number of the utterance in the conversation, from 1.
        said_at: Time of the utterance; None if unknown.
        text: The utterance; None if it has no text.
        emotion: Label of the utterance.
        confidence: Probability of the label.
        flags: Flags of the utterance in the archive.
        before: The turns before, oldest first, at most TURNS_BEFORE.
        is_crisis: Whether the utterance, or an utterance of a customer before it, speaks of suicide or self-harm.
    """

    number: int
    conversation_id: str | None
    turn: int
    said_at: datetime.datetime | None
    text: str | None
    emotion: str | None
    confidence: float | None
    flags: tuple[str, ...]
    before: tuple[Turn, ...]
    is_crisis: bool


class OpenConversations:
    """The conversations to draft replies for, in order.

    Attributes:
        count: Number of conversations.
        unanswerable: Number of chosen conversations that are left out, because no customer speaks in them.
        note: Line about values of the time column that are not times; None if there are none.
        others: Option --where that chooses more conversations; "" if there are none, or not few.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection, note: str | None) -> None:
        self._db, self.note, self.others = db, note, ""
        chosen, self.count = self._db.execute(
            "SELECT (SELECT count(*) FROM chosen), (SELECT count(DISTINCT number) FROM turns_to_answer)"
        ).fetchall()[0]
        self.unanswerable: int = chosen - self.count
        self._is_crisis = self._find_crises(chosen)

    def _find_crises(self, chosen: int) -> NDArray[np.bool_]:
        """Return for each number whether a customer speaks of suicide or self-harm: bool [chosen + 1].

        All utterances up to the last one of a customer count, except those of agents.
        """
        found = np.zeros(chosen + 1, bool)
        query = "SELECT number, text FROM turns_to_answer WHERE who <> 'agent' AND text IS NOT NULL"
        for batch in _batches(self._db, query, _CRISIS_ROWS):
            texts = batch.column(1).dictionary_encode()  # many texts repeat, such as 감사합니다
            is_crisis = speaks_of_crisis(texts.dictionary.to_pylist())[texts.indices.to_numpy()]
            found[batch.column(0).to_numpy()[is_crisis]] = True
        return found

    def after(self, number: int) -> Iterator[Conversation]:
        """Yield the conversations after the one with this number."""
        self._db.execute(
            "CREATE OR REPLACE TABLE asked AS SELECT $after AS after, $before AS before",
            {"after": number, "before": TURNS_BEFORE},
        )
        rows = (row for batch in _batches(self._db, _sql("last_turns")) for row in batch.to_pylist())
        for _, turns in itertools.groupby(rows, itemgetter("number")):
            *before, last = turns
            yield Conversation(
                number=last["number"],
                conversation_id=last["conversation"],
                turn=last["turn"],
                said_at=last["said_at"],
                text=last["text"],
                emotion=last["emotion"],
                confidence=last["confidence"],
                flags=tuple(filter(None, last["flags"] or ())),
                before=tuple(Turn(one["who"], one["text"]) for one in before),
                is_crisis=bool(self._is_crisis[last["number"]]),
            )


@contextlib.contextmanager
def open_conversations(archive: LabelledArchive, selection: Selection) -> Iterator[OpenConversations]:
    """Open the conversations of an archive to draft replies for.

    Raises:
        OutputError: The archive has no texts.
        OptionError: No condition is given, and the archive cannot tell which conversations turned bad; or the condition
            is invalid.
        DataError: A part file cannot be read.
        StorageError: There is not enough memory or disk space.
    """
    text_column_of(archive)
    if selection.where is None:
        _ensure_lookable(archive, selection.conversations)
    with _open_database(archive, selection) as (db, note):
        db.execute(_sql("turns"))
        _find_flags(db, f"{archive.prefix}{_FLAGS}")
        found = OpenConversations(db, note)
        if selection.where is None and found.count < _FEW:
            found.others = _others(db, archive, found.count, selection.conversations)
        yield found


@contextlib.contextmanager
def _open_database(
    archive: LabelledArchive, selection: Selection
) -> Iterator[tuple[duckdb.DuckDBPyConnection, str | None]]:
    """Open a database with the table `chosen`. Yield (database, line about values that are not times).

    A condition of the user needs a session, which can read only the archive.
    """
    options, zone, order = selection.conversations, selection.time_zone, selection.date_order
    if selection.where is not None:
        with open_session(archive, zone, numbered=True, conversations=options, date_order=order) as session:
            _store(session.database, "shared_ids", "speakers", "conversation_roles")
            _find_matching(session, archive, selection.where)
            yield session.database, session.note
        return
    readings: list[TimeReading] = []
    with open_database(
        archive, zone, numbered=True, conversations=options, date_order=order, on_times=readings.append
    ) as db:
        _store(db, "shared_ids", "speakers", "conversation_roles", "talks", "turns", "soured")
        db.execute(_sql("to_look_at"))
        yield db, readings[0].note(archive.time_columns or "")


def _store(db: duckdb.DuckDBPyConnection, *names: str) -> None:
    """Store the results of aggregates in tables. Otherwise, each query would compute them again."""
    for name in names:
        store(db, name)


def _ensure_lookable(archive: LabelledArchive, options: ConversationOptions) -> None:
    """Raise OptionError if the archive cannot tell which conversations turned bad."""
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


def _others(db: duckdb.DuckDBPyConnection, archive: LabelledArchive, count: int, options: ConversationOptions) -> str:
    """Return the option --where for the negative label that the most conversations of customers have."""
    negative = meaning_of(archive.labels, options.negative).negative
    found = db.execute(_sql("frequent_label"), {"labels": list(negative)}).fetchone()
    return where_option(archive, found[0]) if found and found[1] > count else ""


def _find_matching(session: Session, archive: LabelledArchive, where: str) -> None:
    """Create the table `chosen` from the rows that match a condition of the user."""
    ensure_one_column(archive, session.condition(where))
    session.refuse_numbers_as_texts(where)
    part, row = _positions(session.database)
    query = f"SELECT {part} AS part, {row} AS row FROM numbered AS labelled WHERE ({where}\n)"  # noqa: S608 - only reads
    relation = session.relation(query)
    with query_errors(keep=()):
        relation.create("matched")
    session.database.execute(_sql("matching"))


def _find_flags(db: duckdb.DuckDBPyConnection, column: str) -> None:
    """Create the table `flags_of_turns`: the flags of the last utterances, if the archive has flags."""
    rows, part_row = db.view("numbered"), _positions(db)
    types = {in_sql(name): str(kind) for name, kind in zip(rows.columns, rows.types, strict=True)}
    has_flags = types.get(in_sql(column)) == "VARCHAR[]"
    flags = f"numbered.{identifier(column)}" if has_flags else "NULL::VARCHAR[]"
    part, row = (f"numbered.{name}" for name in part_row)
    db.execute(
        f"CREATE TABLE flags_of_turns AS SELECT {part} AS part, {row} AS row, {flags} AS flags FROM numbered "  # noqa: S608
        f"JOIN turns_to_answer AS turns ON turns.part = {part} AND turns.row = {row} "
        f"WHERE turns.turn = turns.last_turn AND {str(has_flags).lower()}"
    )


def _positions(db: duckdb.DuckDBPyConnection) -> Sequence[str]:
    """Return the quoted names of the columns with the number of the part file, and of the row in it."""
    return [identifier(name) for name in db.view("numbered").columns[-2:]]


def _batches(db: duckdb.DuckDBPyConnection, query: str, rows: int = _BATCH_ROWS) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a query of emojob in batches of `rows` rows. Only a few batches are in memory at once."""
    yield from batches_of(db.sql(query).to_arrow_reader(rows))


def _sql(name: str) -> str:
    """Return the query in sql/NAME.sql."""
    return (files(__name__.rpartition(".")[0]) / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def by_customer(turns: Sequence[Turn]) -> tuple[str, ...]:
    """Return the texts of customers, and of speakers whose role is unknown, without the turns that have no text."""
    return tuple(turn.text for turn in turns if turn.text and turn.who != AGENT)


#: How a turn names its speaker. The texts of dialogue are Korean, so these words are.
SPEAKERS = {CUSTOMER: "고객", AGENT: "상담사"}
OTHER_SPEAKER = "화자"
