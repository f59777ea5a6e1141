"""Reads the last turns of the conversations of a labelled archive to draft replies for (see `choosing`).

A reply answers the last utterance of a customer. Which utterances are those of customers is
decided as in the figures about conversations (see pipeline/warehouse/sql/conversations/).
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.output.labelled_archive import LabelledArchive, text_column_of
from emojob.pipeline.replies.drafts.choosing import (
    CRISIS_ROWS,
    Selection,
    batches,
    crisis_rows,
    open_chosen,
    others,
    positions,
    sql,
)
from emojob.pipeline.replies.drafts.roles import Roles, roles_of
from emojob.pipeline.warehouse.sql_text import identifier
from emojob.schemas.columns import in_sql
from emojob.schemas.roles import AGENT, CUSTOMER

#: Maximum number of turns before the utterance that is answered, and after it.
TURNS_BEFORE, TURNS_AFTER = 6, 3

_BATCH_ROWS = 8_192  # utterances
_FLAGS = "flags"
_FEW = 10  # conversations


@dataclass(frozen=True)
class Turn:
    """An utterance before the one that is answered, or after it.

    Attributes:
        who: CUSTOMER, AGENT or "other" (see turns.sql).
        text: The utterance; None if it has no text.
        emotion: Label of the utterance; None if it has none.
    """

    who: str
    text: str | None
    emotion: str | None = None


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
        after: The first turns after it, at most TURNS_AFTER. No customer speaks in them.
        is_crisis: Whether an utterance of somebody but an agent speaks of suicide or self-harm.
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
    after: tuple[Turn, ...]
    is_crisis: bool


class OpenConversations:
    """The conversations to draft replies for, in order.

    Attributes:
        count: Number of conversations.
        unanswerable: Number of chosen conversations that are left out, because no customer speaks in them.
        note: Line about values of the time column that are not times; None if there are none.
        roles: In which conversations emojob does not know who the customer is.
        others: Option --where that chooses more conversations; "" if there are none, or not few.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection, note: str | None, roles: Roles) -> None:
        self._db, self.note, self.roles, self.others = db, note, roles, ""
        chosen, self.count = self._db.execute(
            "SELECT (SELECT count(*) FROM chosen), (SELECT count(DISTINCT number) FROM turns_to_answer)"
        ).fetchall()[0]
        self.unanswerable: int = chosen - self.count
        self._is_crisis = self._find_crises(chosen)

    def _find_crises(self, chosen: int) -> NDArray[np.bool_]:
        """Return for each number whether somebody but an agent speaks of suicide or self-harm: bool [chosen + 1]."""
        found = np.zeros(chosen + 1, bool)
        query = "SELECT number, text FROM turns_to_answer WHERE who <> 'agent' AND text IS NOT NULL"
        for batch in batches(self._db, query, CRISIS_ROWS):
            found[crisis_rows(batch).to_numpy()] = True
        return found

    def after(self, number: int) -> Iterator[Conversation]:
        """Yield the conversations after the one with this number."""
        self._db.execute(
            "CREATE OR REPLACE TABLE asked AS SELECT $number AS number, $before AS before, $after AS after",
            {"number": number, "before": TURNS_BEFORE, "after": TURNS_AFTER},
        )
        rows = (row for batch in batches(self._db, sql("last_turns"), _BATCH_ROWS) for row in batch.to_pylist())
        for _, group in itertools.groupby(rows, itemgetter("number")):
            turns = list(group)
            (place,) = (place for place, one in enumerate(turns) if one["turn"] == one["last_turn"])
            last = turns[place]
            yield Conversation(
                number=last["number"],
                conversation_id=last["conversation"],
                turn=last["turn"],
                said_at=last["said_at"],
                text=last["text"],
                emotion=last["emotion"],
                confidence=last["confidence"],
                flags=tuple(filter(None, last["flags"] or ())),
                before=tuple(_turn(one) for one in turns[:place]),
                after=tuple(_turn(one) for one in turns[place + 1 :]),
                is_crisis=bool(self._is_crisis[last["number"]]),
            )


@contextlib.contextmanager
def open_conversations(archive: LabelledArchive, selection: Selection) -> Iterator[OpenConversations]:
    """Open the conversations of an archive to draft replies for.

    Raises:
        OutputError: The archive has no texts.
        OptionError: No condition is given, and the archive cannot tell which conversations ended badly; or the
            condition is invalid.
        DataError: A part file cannot be read.
        StorageError: There is not enough memory or disk space.
    """
    text_column_of(archive)
    with open_chosen(archive, selection) as (db, note):
        db.execute(sql("turns"))
        _find_flags(db, f"{archive.prefix}{_FLAGS}")
        found = OpenConversations(db, note, roles_of(db, selection.conversations))
        if selection.where is None and found.count < _FEW:
            found.others = others(db, archive, found.count, selection.conversations)
        yield found


def _find_flags(db: duckdb.DuckDBPyConnection, column: str) -> None:
    """Create the table `flags_of_turns`: the flags of the last utterances, if the archive has flags."""
    rows, part_row = db.view("numbered"), positions(db)
    types = {in_sql(name): str(kind) for name, kind in zip(rows.columns, rows.types, strict=True)}
    has_flags = types.get(in_sql(column)) == "VARCHAR[]"
    flags = f"numbered.{identifier(column)}" if has_flags else "NULL::VARCHAR[]"
    part, row = (f"numbered.{name}" for name in part_row)
    db.execute(
        f"CREATE TABLE flags_of_turns AS SELECT {part} AS part, {row} AS row, {flags} AS flags FROM numbered "  # noqa: S608
        f"JOIN turns_to_answer AS turns ON turns.part = {part} AND turns.row = {row} "
        f"WHERE turns.turn = turns.last_turn AND {str(has_flags).lower()}"
    )


def _turn(row: dict[str, Any]) -> Turn:
    return Turn(row["who"], row["text"], row["emotion"])


def by_customer(turns: Sequence[Turn]) -> tuple[str, ...]:
    """Return the texts of customers, and of speakers whose role is unknown, without the turns that have no text."""
    return tuple(turn.text for turn in turns if turn.text and turn.who != AGENT)


#: How a turn names its speaker. The texts of dialogue are Korean, so these words are.
SPEAKERS = {CUSTOMER: "고객", AGENT: "상담사"}
OTHER_SPEAKER = "화자"
