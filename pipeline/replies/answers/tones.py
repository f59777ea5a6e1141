"""Finds the tone of answers: calm, warm or bright. The answers of a user's book have no tones.

The tone is learned from the answers of the built-in book: a linear classifier (ridge regression on the three tones)
reads the vector of an answer, and cues such as exclamation marks or the word `죄송`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.replies.answers.book import AnswerBook
from emojob.pipeline.replies.answers.builtin import read_builtin_book
from emojob.pipeline.replies.answers.vectors import TextEncoder
from emojob.pipeline.replies.words import TONES

_RIDGE = 0.5

#: Number of answers whose tones are predicted at a time.
_ANSWERS = 4096

# What shows a tone, apart from the meaning.
_CUES = tuple(
    map(
        re.compile,
        (
            r"!",
            r"!.*!",
            r"ㅋㅋ|ㅎㅎ|\^\^|~",
            r"[\u2600-\u27bf\U0001f300-\U0001faff]",
            r"축하|다행|최고|멋지|멋져|신나|기쁘|기뻐|기쁜|반가|좋은 소식|두근",
            r"죄송|미안|송구",
            r"괜찮|마음|속상|힘드|힘든|힘들|답답|걱정|고생|애쓰|애써|얼마나|곁에|이해",
            r"(습니다|십시오|니까)[.?!~ ]*$",
            r"[요죠][.?!~ ]*$",
            r"(네요|군요|겠어요|셨겠)",
            r"바랍니다|확인|안내|가능|됩니다|있습니다|처리|접수",
            r"드릴게요|함께|같이|천천히|편하게",
        ),
    )
)


class ToneClassifier:
    """Predicts the tone of answers."""

    def __init__(self, encoder: TextEncoder, answers: Sequence[str], tones: NDArray[np.integer]) -> None:
        """Learn from answers with known tones.

        Args:
            encoder: The encoder of texts.
            answers: The answers.
            tones: int [answers], position of each tone in TONES.
        """
        self._encoder = encoder
        features = self._features(answers)
        targets = np.eye(len(TONES))[tones]
        weights = (targets / np.maximum(1, targets.sum(0))).sum(1)  # all tones have the same weight
        weights *= len(answers) / max(1e-12, float(weights.sum()))
        weighted = features * weights[:, None]
        penalty = _RIDGE * np.eye(features.shape[1])
        penalty[-1, -1] = 1e-6  # the constant
        self._matrix = np.linalg.solve(features.T @ weighted + penalty, weighted.T @ targets)

    @classmethod
    def of_builtin_book(cls, encoder: TextEncoder) -> ToneClassifier:
        """Learn from the answers of the built-in book."""
        book = read_builtin_book()
        return cls(encoder, book.answers, book.answer_tones)

    def predict(self, answers: Sequence[str]) -> NDArray[np.int8]:
        """Return the position in TONES of each answer's tone: int8 [answers]."""
        tones = np.zeros(len(answers), np.int8)
        for start in range(0, len(answers), _ANSWERS):
            scores = self._features(answers[start : start + _ANSWERS]) @ self._matrix
            tones[start : start + _ANSWERS] = scores.argmax(1)
        return tones

    def _features(self, answers: Sequence[str]) -> NDArray[np.float64]:
        """Return the vectors, the cues and a constant: float64 [answers, features]."""
        cues = np.array([[bool(cue.search(answer)) for cue in _CUES] for answer in answers], np.float64)
        cues = cues.reshape(len(answers), len(_CUES))
        return np.concatenate([self._encoder.encode(answers), cues, np.ones((len(answers), 1))], axis=1)


def with_tones(book: AnswerBook, encoder: TextEncoder) -> AnswerBook:
    """Return the book with the tones that its answers seem to have.

    Args:
        book: An answer book whose tones are unknown.
        encoder: The encoder of texts.
    """
    return replace(book, answer_tones=ToneClassifier.of_builtin_book(encoder).predict(book.answers))


def cross_validated_accuracy(encoder: TextEncoder, book: AnswerBook, parts: int = 5) -> float:
    """Return the share of a book's answers whose tone is predicted correctly, 0 to 1.

    The answers of a group are all in the same part. The answers of a part are predicted by a classifier that learned
    from the other parts.

    Args:
        encoder: The encoder of texts.
        book: An answer book whose tones are known.
        parts: Number of parts.
    """
    part = book.answer_groups % parts
    correct = 0
    for number in range(parts):
        learned, tested = np.flatnonzero(part != number), np.flatnonzero(part == number)
        classifier = ToneClassifier(encoder, [book.answers[i] for i in learned], book.answer_tones[learned])
        predicted = classifier.predict([book.answers[i] for i in tested])
        correct += int((predicted == book.answer_tones[tested]).sum())
    return correct / max(1, len(book.answers))
