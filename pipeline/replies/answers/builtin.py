"""Reads the built-in answer book, which was written for this project.

Each TOML file in builtin/ holds situations: the name of the category, questions, and answers in each tone.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

import numpy as np

from emojob.pipeline.replies.answers.book import AnswerBook
from emojob.pipeline.replies.words import TONES


@cache
def read_builtin_book() -> AnswerBook:
    """Return the built-in answer book. Its groups are categories, in the order of the files.

    Files are read in the order of their names. Situations with the same category belong to the same group.
    """
    groups: dict[str, int] = {}
    questions: list[tuple[str, int]] = []
    answers: list[tuple[str, int, int]] = []
    files = resources.files("emojob.pipeline.replies.answers").joinpath("builtin").iterdir()
    for file in sorted((file for file in files if file.name.endswith(".toml")), key=lambda file: file.name):
        for situation in tomllib.loads(file.read_text(encoding="utf-8"))["situation"]:
            group = groups.setdefault(situation["category"], len(groups))
            questions += ((question, group) for question in situation["questions"])
            answers += ((answer, group, tone) for tone, name in enumerate(TONES) for answer in situation[name])
    return AnswerBook(
        tuple(question for question, _ in questions),
        np.array([group for _, group in questions], np.int32),
        tuple(answer for answer, _, _ in answers),
        np.array([group for _, group, _ in answers], np.int32),
        np.array([tone for _, _, tone in answers], np.int8),
        tuple(groups),
    )
