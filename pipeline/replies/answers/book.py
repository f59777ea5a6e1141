"""Defines the answer book: questions, answers, and which answers fit which question.

A question and its answers belong to the same group. A group is a category such as `배송/지연`. In a book without
categories, each question is a group of its own, and the group has no name.

A category may have questions, but no answers. The book keeps its questions, so that a text like them gets no answer of
another category.

A book is stored as two Parquet files: questions.parquet (question, group, name) and answers.parquet (answer, group,
tone). `group` is a number from 0, and `name` is the name of the group.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from emojob.pipeline.replies.way_folders import repair
from emojob.pipeline.replies.words import TONES
from emojob.pipeline.storage import atomic
from emojob.schemas.errors import DataError

QUESTIONS_FILE, ANSWERS_FILE = "questions.parquet", "answers.parquet"


@dataclass(frozen=True, eq=False)
class AnswerBook:
    """An answer book.

    Attributes:
        questions: The questions.
        question_groups: int32 [questions], group of each question. Each group has a question.
        answers: The answers.
        answer_groups: int32 [answers], group of each answer. A category may have no answers.
        answer_tones: int8 [answers], position of the tone in TONES.
        groups: Names of the groups, such as `배송/지연`; "" for a group without a name.
    """

    questions: tuple[str, ...]
    question_groups: NDArray[np.int32]
    answers: tuple[str, ...]
    answer_groups: NDArray[np.int32]
    answer_tones: NDArray[np.int8]
    groups: tuple[str, ...]

    @property
    def has_categories(self) -> bool:
        """Whether the groups are categories."""
        return any(self.groups)

    @cached_property
    def answers_of_groups(self) -> tuple[NDArray[np.int64], ...]:
        """Answer numbers of each group, ascending."""
        order = np.argsort(self.answer_groups, kind="stable")
        ends = np.cumsum(np.bincount(self.answer_groups, minlength=len(self.groups)))
        return tuple(np.split(order, ends[:-1]))


def write_book(book: AnswerBook, folder: Path) -> None:
    """Write a book into an existing folder.

    Raises:
        OSError: A file cannot be written.
    """
    questions = pa.table(
        {
            "question": list(book.questions),
            "group": book.question_groups,
            "name": [book.groups[group] for group in book.question_groups],
        }
    )
    answers = pa.table(
        {
            "answer": list(book.answers),
            "group": book.answer_groups,
            "tone": [TONES[tone] for tone in book.answer_tones],
        }
    )
    for name, table in ((QUESTIONS_FILE, questions), (ANSWERS_FILE, answers)):
        with atomic.draft(folder / name) as draft:
            pq.write_table(table, draft.sink)


def read_book(folder: Path) -> AnswerBook:
    """Read a book.

    Raises:
        DataError: A file is missing or damaged, or the files do not fit together.
    """
    try:
        questions, answers = (pq.read_table(folder / name) for name in (QUESTIONS_FILE, ANSWERS_FILE))
        groups = questions["group"].to_numpy().astype(np.int32)
        names = [""] * (int(groups.max(initial=-1)) + 1)
        for group, name in zip(groups.tolist(), questions["name"].to_pylist(), strict=True):
            names[group] = str(name)
        return AnswerBook(
            tuple(map(str, questions["question"].to_pylist())),
            groups,
            tuple(map(str, answers["answer"].to_pylist())),
            answers["group"].to_numpy().astype(np.int32),
            np.array([TONES.index(tone) for tone in answers["tone"].to_pylist()], np.int8),
            tuple(names),
        )
    except (OSError, pa.ArrowException, KeyError, ValueError, IndexError) as error:
        raise DataError(
            f"the answer book {folder} is damaged, because it cannot be read ({error}): {repair(folder)}"
        ) from error
