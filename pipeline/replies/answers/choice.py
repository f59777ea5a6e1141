"""Chooses answers of an answer book for texts: first a group of the book, then answers of the group.

The group comes from the nearest questions, together with a classifier over the categories if there is one. The score of
the group comes from the nearest questions alone, so that it means the same with and without a classifier. Nothing is
random: the same book and text give the same answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.replies.answers.book import AnswerBook
from emojob.pipeline.replies.answers.builtin import read_builtin_book
from emojob.pipeline.replies.answers.nearest import NearestQuestions
from emojob.pipeline.replies.answers.vectors import HasEncoder, TextEncoder
from emojob.pipeline.replies.words import BRIGHT, CALM, TONES, WARM
from emojob.schemas.errors import ModelError

#: Number of nearest questions, and maximum number of groups, that are returned for a text.
NEAREST, GROUPS = 5, 4

#: Group of a text for which no group was found, because the text or the book is empty.
NO_GROUP = -1

# Number of questions among which groups are looked for. Several questions of a group may be near.
_SEARCHED = 50

# Weight of the cosine with the mean of a group, against 1 for the cosine with the nearest question. Both together find
# the category of more texts than either of them.
_MEAN_WEIGHT = 2.0

# Share of the classifier's probability in the rank of a group; the rest is the score of the nearest questions. Both
# together find the category of more texts than either of them. The probability is not a part of the score: a classifier
# knows only the categories, so it is sure of one for any text, also for letters without a meaning.
_CLASSIFIER_SHARE = 0.4

# Cosine above which a question is the text itself.
_SAME = 0.999

# Number of questions below which the encoder is also fitted on the questions of the built-in book.
_FEW_QUESTIONS = 2_000

# The tones that an answer may have instead, the most suitable first.
_SUITABLE = {CALM: (CALM, WARM, BRIGHT), WARM: (WARM, CALM, BRIGHT), BRIGHT: (BRIGHT, WARM, CALM)}


@dataclass(frozen=True)
class NearQuestion:
    """A question of the book that is near to a text.

    Attributes:
        question: The question.
        group: Group of the question.
        score: Cosine of the question and the text, -1 to 1.
    """

    question: str
    group: int
    score: float


@dataclass(frozen=True)
class ScoredGroup:
    """A group that may fit a text.

    Attributes:
        group: The group, or NO_GROUP.
        category: Name of the group; "" without a name.
        score: The weighted mean of two cosines of the text: with the nearest question of the group, and with the mean
            of the group's questions. If a question is the text itself, only the cosine with the question.
    """

    group: int
    category: str
    score: float


@dataclass(frozen=True)
class Found:
    """What was found for a text.

    Attributes:
        group: The group that fits best, or NO_GROUP. It may be a group without answers.
        category: Name of the group; "" without a name.
        score: Score of the group, as in `ScoredGroup`; 0 without a group.
        nearest: The nearest questions, at most NEAREST, the nearest first.
        alternatives: The next best groups, the best first.
    """

    group: int
    category: str
    score: float
    nearest: tuple[NearQuestion, ...] = ()
    alternatives: tuple[ScoredGroup, ...] = ()


def fit_encoder(model: HasEncoder, book: AnswerBook) -> tuple[TextEncoder, NDArray[np.float32]]:
    """Fit an encoder on the questions of a book. For a small book, the questions of the built-in book are added.

    Args:
        model: The model with the encoder.
        book: The answer book.

    Returns:
        The encoder, and the vectors of the book's questions: float32 [questions, size].
    """
    questions, groups = book.questions, book.question_groups
    if len(questions) < _FEW_QUESTIONS:
        builtin = read_builtin_book()
        known = set(questions)
        added = [place for place, question in enumerate(builtin.questions) if question not in known]
        questions = (*questions, *(builtin.questions[place] for place in added))
        groups = np.concatenate([groups, builtin.question_groups[added] + len(book.groups)])
    encoder, vectors = TextEncoder.fit(model, questions, groups)
    return encoder, vectors[: len(book.questions)]


class AnswersWay:
    """Finds groups and chooses answers of an answer book.

    Attributes:
        book: The answer book.
        encoder: The encoder of texts.
        vectors: float32 [questions, size], the vectors of the book's questions.
    """

    def __init__(
        self,
        book: AnswerBook,
        encoder: TextEncoder,
        scorer: Scorer | None = None,
        vectors: NDArray[np.float32] | None = None,
    ) -> None:
        """Prepare the search.

        Args:
            book: The answer book.
            encoder: The encoder of texts.
            scorer: A classifier whose labels are names of the book's groups. None: use only the nearest questions.
            vectors: The vectors of the book's questions from an earlier run. None: compute them.

        Raises:
            ModelError: The classifier has a label that is no group of the book, or `vectors` do not fit the book.
        """
        self.book, self.encoder, self._scorer = book, encoder, scorer
        self.vectors = encoder.encode(book.questions) if vectors is None else vectors
        if self.vectors.shape != (len(book.questions), encoder.size):
            raise ModelError(
                f"the answer book has {len(book.questions)} questions, but the saved vectors have the shape "
                f"{self.vectors.shape}: "
                "train the bot again with `emojob train-replies` and --fresh"
            )
        self._nearest = NearestQuestions(self.vectors)
        self._means = _group_means(self.vectors, book)
        self._groups_of_labels = np.zeros(0, np.int64) if scorer is None else _groups_of_labels(book, scorer)
        self._typical: dict[int, NDArray[np.float32]] = {}

    def find(self, texts: Sequence[str | None]) -> list[Found]:
        """Return the group, its score and the nearest questions of each text.

        The result of a text does not depend on the other texts. A text without tokens has no group.
        """
        queries = self.encoder.encode(texts)
        scores, rows = self._nearest.search(queries, _SEARCHED)
        probabilities = None if self._scorer is None else self._scorer.score(texts).probabilities
        found = []
        for i, query in enumerate(queries):
            if not query.any():
                found.append(Found(NO_GROUP, "", 0.0))
                continue
            near = self._near_questions(scores[i], rows[i])
            groups = self._scored_groups(near, query, None if probabilities is None else probabilities[i])
            best = groups[0] if groups else ScoredGroup(NO_GROUP, "", 0.0)
            found.append(Found(best.group, best.category, best.score, tuple(near[:NEAREST]), tuple(groups[1:GROUPS])))
        return found

    def choose(self, group: int, tone: str, count: int = 1) -> list[int]:
        """Return the numbers of the best answers of a group, the best first, without repeating a text.

        Answers with a suitable tone come first, then typical ones (near to the mean of the group's answers), then
        those that come first in the book.

        Args:
            group: A group of the book, which may have no answers, or NO_GROUP.
            tone: One of TONES.
            count: Maximum number of answers.
        """
        if group == NO_GROUP or not len(self.book.answers_of_groups[group]):
            return []
        answers = self.book.answers_of_groups[group]
        unsuitable = np.array([_SUITABLE[tone].index(TONES[self.book.answer_tones[answer]]) for answer in answers])
        chosen: dict[str, int] = {}
        for place in np.lexsort((answers, -self._typicality(group), unsuitable)):
            chosen.setdefault(self.book.answers[answers[place]], int(answers[place]))
        return list(chosen.values())[:count]

    def _near_questions(self, scores: NDArray[np.float32], rows: NDArray[np.int64]) -> list[NearQuestion]:
        book = self.book
        return [
            NearQuestion(book.questions[row], int(book.question_groups[row]), float(score))
            for score, row in zip(scores, rows, strict=True)
        ]

    def _scored_groups(
        self, near: list[NearQuestion], query: NDArray[np.float32], probabilities: NDArray[np.float32] | None
    ) -> list[ScoredGroup]:
        """Return the groups of the nearest questions and the most likely categories with their scores, the best first.

        With a classifier, the weighted mean of the score and the probability decides which group is the best one.

        Args:
            near: The nearest questions, the nearest first.
            query: float32 [size], vector of the text.
            probabilities: float32 [labels], from the classifier. None: there is no classifier.
        """
        scores: dict[int, float] = {}
        for one in near:
            scores.setdefault(one.group, one.score)
        if probabilities is not None:  # the questions of a likely category may all be farther than the nearest ones
            for label in np.argsort(-probabilities, kind="stable")[:GROUPS]:
                scores.setdefault(int(self._groups_of_labels[label]), near[-1].score if near else 0.0)
        groups, highest = np.array(list(scores), np.int64), np.array(list(scores.values()))
        means = (self._means[groups].astype(np.float64) * query).sum(axis=1)
        found = (highest + _MEAN_WEIGHT * means) / (1 + _MEAN_WEIGHT)
        ranks = found
        if probabilities is not None:
            likely = np.zeros(len(self.book.groups))
            likely[self._groups_of_labels] = probabilities
            ranks = (1 - _CLASSIFIER_SHARE) * found + _CLASSIFIER_SHARE * likely[groups]
        ranks, found = (np.where(highest > _SAME, highest, some) for some in (ranks, found))
        return [
            ScoredGroup(int(groups[i]), self.book.groups[groups[i]], float(found[i]))
            for i in np.argsort(-ranks, kind="stable")
        ]

    def _typicality(self, group: int) -> NDArray[np.float32]:
        """Return the cosine of each answer of the group and the mean of the group's answers, to 4 decimal places."""
        if group not in self._typical:
            vectors = self.encoder.encode([self.book.answers[answer] for answer in self.book.answers_of_groups[group]])
            centre = vectors.mean(0)
            self._typical[group] = np.round(vectors @ (centre / max(1e-12, float(np.linalg.norm(centre)))), 4)
        return self._typical[group]


def _group_means(vectors: NDArray[np.float32], book: AnswerBook) -> NDArray[np.float32]:
    """Return the normalised mean of each group's question vectors: float32 [groups, size]."""
    means = np.zeros((len(book.groups), vectors.shape[1]), np.float32)
    np.add.at(means, book.question_groups, vectors)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return means


def _groups_of_labels(book: AnswerBook, scorer: Scorer) -> NDArray[np.int64]:
    """Return the group of each label of a classifier: int64 [labels]."""
    numbers = {name: group for group, name in enumerate(book.groups)}
    for label in scorer.model.labels:
        if label not in numbers:
            raise ModelError(
                f"{scorer.model.name} has the label {label!r}, which is no category of the answer book: train the "
                "bot again with `emojob train-replies` and --fresh"
            )
    return np.array([numbers[label] for label in scorer.model.labels], np.int64)
