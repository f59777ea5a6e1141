"""Reads pairs of a question and an answer from the user's files, and makes an answer book of the pairs.

The formats and shapes of the files are in `pair_files`. Every row is counted: see `PairCounts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.replies.answers.book import AnswerBook
from emojob.schemas.errors import DataError, OptionError
from emojob.schemas.messages import counted, listed
from emojob.training.replies.emotional_dialogue import DIALOGUE
from emojob.training.replies.pair_columns import PairColumns, PairOptions, question_key, same_text
from emojob.training.replies.pair_files import PairFile, read_pair_files

_NAMED = 3  # maximum number of categories in a message


@dataclass(frozen=True)
class Pair:
    """A question with its answer.

    Attributes:
        question: What a customer or user says.
        answer: The answer. None: the answers of the category answer the question, if the category has answers.
        category: The category, such as `배송/지연`; None if the data has no categories.
        emotion: Emotion of the question as a label; None if unknown.
        more_answers: Other answers to the same question in the category.
    """

    question: str
    answer: str | None
    category: str | None = None
    emotion: str | None = None
    more_answers: tuple[str, ...] = ()

    @property
    def own_answers(self) -> tuple[str, ...]:
        """The answers that the data gives in the rows of the question."""
        return () if self.answer is None else (self.answer, *self.more_answers)

    def with_row(self, answer: str | None, emotion: str | None) -> Pair:
        """Return the pair with the answer and the emotion of another row with the same question and category."""
        known = set(map(same_text, self.own_answers))
        own = self.own_answers if answer is None or same_text(answer) in known else (*self.own_answers, answer)
        return replace(self, answer=own[0] if own else None, more_answers=own[1:], emotion=self.emotion or emotion)


@dataclass(frozen=True)
class PairCounts:
    """Number of rows that give pairs or answers, and number of rows that are left out for each reason.

    Attributes:
        read: All rows; the sum of the other counts. In dialogues, a row here is a customer's turn with its reply.
        pairs: Rows that give a pair with an answer.
        answers_only: Rows without a question that give an answer of a category.
        empty: Rows without a question and without an answer.
        without_question: Rows with an answer, but without a question and without a category.
        without_category: Rows without a category, in a table that has categories.
        without_answer: Rows without an answer, if there is no category, or if the category has no answer. In the second
            case, `Pairs` keeps the question.
        repeated: Rows that repeat an earlier row: the same question in the same category, whatever the answer, because
            the answers belong to the category (a new answer is kept); without a category, the same question and answer.
        rejected: Rows that could not be read.
    """

    read: int
    pairs: int
    answers_only: int = 0
    empty: int = 0
    without_question: int = 0
    without_category: int = 0
    without_answer: int = 0
    repeated: int = 0
    rejected: int = 0

    def summary(self, noun: str = "row") -> str:
        """Return the counts in one line for the terminal. Counts of 0 are omitted. `noun`: what is counted."""
        named = {name.replace("_", " "): count for name, count in asdict(self).items() if count and name != "read"}
        return f"{counted(self.read, noun)} = " + (
            " + ".join(f"{count:,} {name}" for name, count in named.items()) or "0"
        )


@dataclass(frozen=True)
class Pairs:
    """Pairs of a question and an answer, in the order of the files.

    Attributes:
        pairs: The pairs, and the questions of categories without answers.
        answers: {category: its answers, without repeated ones}. A category may have no question. A category without
            answers is missing.
        counts: Row counts of the whole data. `take` does not change these counts.
        notes: Messages about files, tables and categories.
        files: Facts about each file.
    """

    pairs: tuple[Pair, ...]
    answers: dict[str, tuple[str, ...]]
    counts: PairCounts
    notes: tuple[str, ...] = ()
    files: tuple[PairFile, ...] = ()

    @property
    def has_categories(self) -> bool:
        """Whether all pairs have a category."""
        return bool(self.pairs) and all(pair.category is not None for pair in self.pairs)

    def take(self, rows: NDArray[np.int64]) -> Pairs:
        """Return the pairs with the given numbers, in the order of `rows`, and all answers of the categories."""
        return replace(self, pairs=tuple(self.pairs[row] for row in rows.tolist()))

    def with_answers(self) -> list[Pair]:
        """Return pairs that all have an answer, to train a model that writes answers.

        A pair is repeated for each of its answers. A pair without an answer of its own is repeated for each answer of
        its category. If there is none, the pair is left out.
        """
        return [
            replace(pair, answer=answer, more_answers=())
            for pair in self.pairs
            for answer in (pair.own_answers or self.answers.get(pair.category or "", ()))
        ]

    def summary(self) -> str:
        """Return one line for the terminal: the files and the row counts. A row of dialogues may have several pairs."""
        files = ", ".join(f"{file.name} ({file.kind}, {counted(file.rows, 'row')})" for file in self.files)
        noun = "exchange" if self.files and all(file.kind == DIALOGUE for file in self.files) else "row"
        return f"{files}; {self.counts.summary(noun)}" if files else self.counts.summary(noun)


def read_pairs(paths: Sequence[Path], options: PairOptions | None = None) -> Pairs:
    """Read files with questions and answers (CSV, TSV, Parquet, JSON, XLSX) in the given order.

    Args:
        paths: Paths of files or folders, or glob patterns.
        options: Columns, encoding and other options for reading. None: use the defaults.

    Raises:
        DataError: A file cannot be read, no file is given, or no pair is left.
        ColumnError: A column that the user named is missing.
        OptionError: A table has an unknown shape, and the user named no columns.
    """
    cells = read_pair_files(paths, options or PairOptions())
    found = gather(cells.tables, cells.rejected)
    if not found.counts.pairs:
        names = ", ".join(file.name for file in cells.files)
        raise DataError(
            f"{names}: no row gives a pair of a question and an answer ({found.counts.summary()}); give a file with "
            "questions and answers, or name the columns with --question-column NAME and --answer-column NAME"
        )
    return replace(found, notes=(*cells.notes, *found.notes), files=cells.files)


# -- rows ----------------------------------------------------------------------------------------------------------


def gather(tables: Sequence[PairColumns], rejected: int = 0) -> Pairs:
    """Return the pairs of tables. See `PairCounts` for the rows that are left out.

    Args:
        tables: The cells of each table.
        rejected: Number of rows that could not be read.
    """
    rows = _Rows()
    for table in tables:
        rows.add(table)
    return rows.finish(rejected)


class _Rows:
    """Collects pairs row by row."""

    def __init__(self) -> None:
        self._pairs: list[Pair] = []
        self._answers: dict[str, dict[str, str]] = {}  # {category: {same_text: answer}}
        self._numbers: dict[tuple[str | None, str | None, str | None], int] = {}  # {key of a row: number of its pair}
        self._counts: dict[str, int] = {}

    def add(self, table: PairColumns) -> None:
        nothing: list[str | None] = [None] * len(table.questions)
        has_categories = table.categories is not None
        columns = (table.questions, table.answers, table.categories or nothing, table.emotions or nothing)
        for question, answer, category, emotion in zip(*columns, strict=True):
            outcome = _missing(question, answer, category, has_categories)
            outcome = outcome or self._add(question, answer, category, emotion)
            self._counts[outcome] = self._counts.get(outcome, 0) + 1

    def _add(self, question: str | None, answer: str | None, category: str | None, emotion: str | None) -> str:
        """Add a row with the texts that it needs. Return the name of its count in `PairCounts`."""
        if category is not None and answer is not None:
            self._answers.setdefault(category, {}).setdefault(same_text(answer), answer)
        if category is None or question is None:
            key = (category, question and same_text(question), answer and same_text(answer))
        else:
            key = (category, question_key(question), None)
        number = self._numbers.get(key)
        if number is None:
            self._numbers[key] = len(self._pairs)
            if question is None:
                return "answers_only"
            self._pairs.append(Pair(question, answer, category, emotion))
            return "pairs"
        if question is not None and category is not None:
            self._pairs[number] = self._pairs[number].with_row(answer, emotion)
        return "repeated"

    def finish(self, rejected: int) -> Pairs:
        kept = [pair for pair in self._pairs if pair.answer is not None or pair.category in self._answers]
        unanswered = [
            pair.category or "" for pair in self._pairs if pair.answer is None and pair.category not in self._answers
        ]
        counts = {**self._counts, "pairs": len(kept), "rejected": rejected}
        counts["without_answer"] = counts.get("without_answer", 0) + len(unanswered)
        answers = {category: tuple(answers.values()) for category, answers in self._answers.items()}
        notes = [*_unanswered_note(unanswered), *_category_notes(kept, answers), *_question_notes(kept)]
        return Pairs(tuple(self._pairs), answers, PairCounts(sum(counts.values()), **counts), tuple(notes))


def _missing(question: str | None, answer: str | None, category: str | None, has_categories: bool) -> str:
    """Return the name of the count in `PairCounts` for a row that is left out; "" for a row that has what it needs."""
    if question is None and answer is None:
        return "empty"
    if has_categories and category is None:
        return "without_category"
    if question is None and not has_categories:
        return "without_question"
    return "without_answer" if answer is None and not has_categories else ""


def _unanswered_note(categories: Sequence[str]) -> list[str]:
    """Return a message about the questions without answers. `categories` has the category of each question."""
    if not categories:
        return []
    named = list(dict.fromkeys(categories))
    questions = counted(len(categories), "question")
    return [f"{questions} of categories without answers, so texts like them get no draft: {_named(named)}"]


def _category_notes(pairs: Sequence[Pair], answers: dict[str, tuple[str, ...]]) -> list[str]:
    """Return messages about categories that have only one question, or none."""
    questions: dict[str, set[str]] = {category: set() for category in answers}
    for pair in pairs:
        if pair.category is not None:
            questions[pair.category].add(question_key(pair.question))
    single = [category for category, keys in questions.items() if len(keys) == 1]
    unasked = [category for category, keys in questions.items() if not keys]
    notes = [f"categories with only one question, which no measure can test: {_named(single)}"] if single else []
    return notes + (
        [f"categories without a question, whose answers are not used: {_named(unasked)}"] if unasked else []
    )


def _question_notes(pairs: Sequence[Pair]) -> list[str]:
    """Return a message about questions that are in several categories."""
    categories: dict[str, set[str | None]] = {}
    for pair in pairs:
        categories.setdefault(question_key(pair.question), set()).add(pair.category)
    several = sum(len(found) > 1 for found in categories.values())
    return (
        [f"{counted(several, 'question')} in several categories, and each is an example of all of them"]
        if several
        else []
    )


def _named(categories: Sequence[str]) -> str:
    """Return the first names of categories, and how many there are."""
    more = f", ... ({len(categories):,} in total)" if len(categories) > _NAMED else ""
    return listed(categories[:_NAMED]) + more


# -- answer book ---------------------------------------------------------------------------------------------------


def to_book(pairs: Pairs) -> AnswerBook:
    """Return the answer book of pairs. All tones are 0, the first of TONES.

    With categories, a group is a category that has a question. Without categories, a group is a question, and spellings
    of the same question (see `question_key`) are one group. A question or answer is listed once in a group.

    Raises:
        OptionError: Only some of the pairs have a category.
    """
    if not pairs.has_categories and any(pair.category is not None for pair in pairs.pairs):
        raise OptionError(
            "some files have categories, and others have none; give files of one kind, or name the categories with "
            "--category-column NAME"
        )
    questions: dict[str, dict[str, None]] = {}
    answers: dict[str, dict[str, None]] = {}
    for pair in pairs.pairs:
        group = question_key(pair.question) if pair.category is None else pair.category
        questions.setdefault(group, {}).setdefault(pair.question)
        if pair.category is not None:
            answers.setdefault(group, dict.fromkeys(pairs.answers.get(group, ())))
        elif pair.answer is not None:
            answers.setdefault(group, {}).setdefault(pair.answer)
    names = tuple(questions) if pairs.has_categories else ("",) * len(questions)
    answer_texts, answer_groups = _in_groups([answers[group] for group in questions])
    return AnswerBook(
        *_in_groups(list(questions.values())),
        answer_texts,
        answer_groups,
        np.zeros(len(answer_texts), np.int8),
        names,
    )


def _in_groups(groups: Sequence[dict[str, None]]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Return (texts of all groups, group number of each text: int32 [texts])."""
    numbers = np.repeat(np.arange(len(groups), dtype=np.int32), [len(texts) for texts in groups])
    return tuple(text for texts in groups for text in texts), numbers
