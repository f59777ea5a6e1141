"""Finds pairs of a question and an answer in a labelled archive: answers after which a customer's emotion got better.

The question is the last utterance of a customer before an agent speaks. The answer is what agents say until the same
customer speaks again. An emotion got better if a negative label is followed by a label that is not negative, or if a
label that is neither negative nor glad is followed by a glad label.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

import duckdb
import pyarrow as pa

from emojob.pipeline.output.labelled_archive import LabelledArchive, text_column_of
from emojob.pipeline.privacy.pii.masking import mask_texts
from emojob.pipeline.replies.drafts.answer_texts import cut_at_sentence, says_nothing
from emojob.pipeline.replies.drafts.speaker_names import SpeakerNames
from emojob.pipeline.rules.crisis import speaks_of_crisis
from emojob.pipeline.warehouse.database import fetch_dicts, open_database
from emojob.schemas.errors import ColumnError, DataError, OptionError
from emojob.schemas.labels import meaning_of
from emojob.schemas.messages import counted
from emojob.schemas.options import ConversationOptions

#: Least confidence of the customer's emotions before and after an answer.
LEAST_CONFIDENCE = 0.5

#: Maximum number of characters of an answer.
MOST_CHARACTERS = 300

#: Labels that are better than other labels that are not negative, in lower case.
GLAD = frozenset({
    "기쁨", "행복", "즐거움", "신남", "긍정", "긍정적", "만족", "감사", "고마움", "뿌듯함", "안심", "안도", "joy",
    "happy", "happiness", "positive", "pos", "gratitude", "satisfaction", "satisfied", "relief", "relieved",
    "excitement",
})  # fmt: skip

_READ_CHARACTERS = 4_000  # of a text; a text is cut after masking, so the cut leaves no half of a telephone number
_BATCH_ROWS = 8_192
_MOST_AGENTS = 100_000


@dataclass(frozen=True)
class MiningCounts:
    """Number of answers of agents, and number of answers that are left out for each reason.

    Attributes:
        looked_at: All answers of an agent to a customer; the sum of the other counts.
        kept: Answers that give a pair.
        without_next: The customer says nothing after the answer, or another customer speaks.
        unsure: An emotion of the customer has a confidence below the limit.
        unknown_label: emojob does not know whether a label is negative.
        not_better: The emotion did not get better.
        crisis: The question or the answer speaks of suicide or self-harm. A bot answers no such text.
        empty: The question or the answer says nothing, such as 네 or 감사합니다.
        too_long: The first sentence of the answer is longer than MOST_CHARACTERS.
        repeated: The same question and answer as an earlier pair.
    """

    looked_at: int
    kept: int = 0
    without_next: int = 0
    unsure: int = 0
    unknown_label: int = 0
    not_better: int = 0
    crisis: int = 0
    empty: int = 0
    too_long: int = 0
    repeated: int = 0

    def summary(self) -> str:
        """Return the counts in one line for the terminal. Counts of 0 are omitted, except `kept`."""
        others = {name: count for name, count in asdict(self).items() if name not in ("looked_at", "kept") and count}
        named = [f"{self.kept:,} kept", *(f"{count:,} {name.replace('_', ' ')}" for name, count in others.items())]
        return f"{counted(self.looked_at, 'answer')} = {' + '.join(named)}"


@dataclass(frozen=True)
class MinedPairs:
    """Pairs of a labelled archive, in the order of the archive. Personal data and names of speakers are masked.

    Attributes:
        questions: What the customers said.
        answers: What the agents answered.
        emotions: Emotion of each question.
        counts: Number of answers that are kept and left out.
        notes: Messages about the archive.
    """

    questions: list[str]
    answers: list[str]
    emotions: list[str | None]
    counts: MiningCounts
    notes: tuple[str, ...] = ()


def mine(
    archive: LabelledArchive,
    conversations: ConversationOptions | None = None,
    least: float = LEAST_CONFIDENCE,
    date_order: str | None = None,
) -> MinedPairs:
    """Return the pairs of an archive whose answers were followed by a better emotion of the customer.

    Args:
        archive: The labelled archive.
        conversations: Who are customers and agents, and which labels are negative. None: the usual names decide.
        least: Least confidence of the emotions before and after an answer, from 0 to 1.
        date_order: Order of dates such as 03/04/26: ymd, mdy or dmy. None: the values of the column tell the order.

    Raises:
        OutputError: The archive has no texts.
        ColumnError: The archive has no conversations or no speakers.
        OptionError: No customer or no agent is known, or no label is known to be negative.
        DataError: No pair is left, or a part file cannot be read.
        StorageError: There is not enough memory or disk space.
    """
    _check_columns(archive)
    labels, levels = _levels(archive, conversations)
    with open_database(archive, conversations=conversations, date_order=date_order) as db:
        db.execute(_sql("mining_turns"))
        (talks,) = fetch_dicts(db.execute(_sql("mining_conversations")))
        if not talks["answered"]:
            raise _no_agents(archive, "no speaker of a conversation is known to be an agent")
        db.execute(_sql("mining_exchanges"), {"labels": labels, "levels": levels, "least": least})
        found = {row["outcome"]: row["exchanges"] for row in fetch_dicts(db.execute(_sql("mining_outcomes")))}
        if not found:
            raise _no_agents(archive, "no agent speaks after a customer in any conversation")
        collected = _Collected(_agents(db))
        for batch in _texts(db):
            collected.add(batch)
    looked_at = sum(found.values())
    counts = MiningCounts(looked_at, **{**found, **collected.counts, "kept": len(collected.questions)})
    if not collected.questions:
        raise DataError(
            f"{archive.path}: no answer was followed by a better emotion of the customer ({counts.summary()}); give an "
            "archive with more conversations, or files with questions and answers with --data"
        )
    return MinedPairs(collected.questions, collected.answers, collected.emotions, counts, _notes(talks["unanswered"]))


def _check_columns(archive: LabelledArchive) -> None:
    text_column_of(archive)
    missing = [
        name for name in ("conversation", "speaker") if getattr(archive, f"{name}_column") not in archive.columns
    ]
    if missing:
        raise ColumnError(
            f"{archive.path} has no column with {' and no column with '.join(f'{name}s' for name in missing)}, so no "
            "answer can be assigned to a question; label the input again with "
            f"{' and '.join(f'--{name}-column NAME' for name in missing)}"
        )


def _levels(archive: LabelledArchive, options: ConversationOptions | None) -> tuple[list[str], list[int | None]]:
    """Return (labels, level of each label): 0 negative, 1 neither negative nor glad, 2 glad, None unknown.

    Raises OptionError if no label is known to be negative or glad, because then no emotion can get better.
    """
    meaning = meaning_of(archive.labels, options.negative if options else ())
    levels: list[int | None] = []
    for label in archive.labels:
        is_glad = label.strip().lower() in GLAD
        levels.append(0 if label in meaning.negative else None if label in meaning.unknown else 2 if is_glad else 1)
    if len({level for level in levels if level is not None}) < 2:
        raise OptionError(
            f"{archive.path}: the names of the labels do not say which emotion is better than another; name the "
            "negative labels with --negative LABEL"
        )
    return list(archive.labels), levels


def _no_agents(archive: LabelledArchive, problem: str) -> OptionError:
    return OptionError(
        f"{archive.path}: {problem}; name the speakers with --customer-speaker NAME and --agent-speaker NAME, as they "
        f"are written in the column {archive.speaker_column}"
    )


def _notes(unanswered: int) -> tuple[str, ...]:
    if not unanswered:
        return ()
    named = counted(unanswered, "conversation")
    return (f"{named} without a known agent left out; --customer-speaker and --agent-speaker name the speakers",)


def _agents(db: duckdb.DuckDBPyConnection) -> SpeakerNames:
    found = db.execute(_sql("mining_agents"), {"most": _MOST_AGENTS}).fetchall()
    return SpeakerNames(speaker for (speaker,) in found)


def _texts(db: duckdb.DuckDBPyConnection) -> Iterator[pa.RecordBatch]:
    """Yield the questions and answers of the kept exchanges, in the order of the archive."""
    db.execute(_sql("mining_texts"), {"most": _READ_CHARACTERS})
    yield from db.sql(_sql("mining_pairs")).to_arrow_reader(_BATCH_ROWS)


def _sql(name: str) -> str:
    return (files("emojob.pipeline.replies.drafts") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


class _Collected:
    """Masks and collects pairs.

    Attributes:
        counts: Number of pairs that are left out for each reason.
    """

    def __init__(self, agents: SpeakerNames) -> None:
        self.questions: list[str] = []
        self.answers: list[str] = []
        self.emotions: list[str | None] = []
        self.counts = {"crisis": 0, "empty": 0, "too_long": 0, "repeated": 0}
        self._agents = agents
        self._seen: set[tuple[str, str]] = set()

    def add(self, batch: pa.RecordBatch) -> None:
        columns: dict[str, list[Any]] = batch.to_pydict()
        masked = [mask_texts(columns[name]) for name in ("question", "answer")]
        is_crisis = speaks_of_crisis(columns["question"]) | speaks_of_crisis(columns["answer"])
        rows = zip(*masked, columns["speakers"], columns["emotion"], is_crisis.tolist(), strict=True)
        for question, answer, speakers, emotion, crisis in rows:
            names = _names_of(tuple(speakers or ()))
            texts = [names.mask(self._agents.mask(text or "")) for text in (question, answer)]
            reason = "crisis" if crisis else self._keep(texts[0], texts[1], emotion)
            if reason is not None:
                self.counts[reason] += 1

    def _keep(self, question: str, answer: str, emotion: str | None) -> str | None:
        """Add a pair, and return None; or return why the pair is left out."""
        if says_nothing(question) or says_nothing(answer):
            return "empty"
        cut = cut_at_sentence(answer, MOST_CHARACTERS)
        if cut is None:
            return "too_long"
        if says_nothing(cut):
            return "empty"
        pair = (" ".join(question.split())[:MOST_CHARACTERS], cut)
        if pair in self._seen:
            return "repeated"
        self._seen.add(pair)
        self.questions.append(pair[0])
        self.answers.append(pair[1])
        self.emotions.append(emotion)
        return None


@functools.lru_cache(4_096)
def _names_of(speakers: Sequence[str]) -> SpeakerNames:
    return SpeakerNames(speakers)
