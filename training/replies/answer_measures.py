"""Measures the way `answers`: accuracy of the category, retrieval of held-out questions, and agreement of the tone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.replies.answers.book import AnswerBook
from emojob.pipeline.replies.answers.choice import AnswersWay
from emojob.pipeline.replies.answers.nearest import NearestQuestions
from emojob.pipeline.replies.words import TONES
from emojob.training.replies.pairs import Pairs

#: Number of different answers among which the right one is looked for: hit@5.
HITS = 5

_THIRD = 3  # number of best categories among which the right one is looked for: top-3

#: Number of nearest questions from which the different answers are taken.
SEARCHED = 50


@dataclass(frozen=True)
class Retrieval:
    """How well the right answers of held-out questions are found by the nearest questions.

    Attributes:
        questions: Number of held-out questions whose answer is in the book. Only these questions are measured.
        hit_1: Share of these questions whose right answer is that of the nearest question; None without questions, and
            if the book has only one answer.
        hit_5: Share of these questions whose right answer is among the 5 best different answers; None without
            questions, and if the book has no more than 5 different answers.
        mrr: Mean of 1 / rank of the right answer among the different answers of the 50 nearest questions; 0 if the
            right answer is not there. None as for `hit_1`.
    """

    questions: int
    hit_1: float | None
    hit_5: float | None
    mrr: float | None


@dataclass(frozen=True)
class AnswersMeasures:
    """Measures on held-out questions.

    Attributes:
        held_out: Number of all held-out questions.
        drafted: Share of all held-out questions whose score is high enough for a draft; None without questions.
        retrieval: Retrieval by the nearest questions. With categories, the category counts as the answer.
        top_1: Share of the questions whose category is found; None without two categories, and without questions.
        top_3: Share of the questions whose category is among the three best; None without four categories, and without
            questions.
    """

    held_out: int
    retrieval: Retrieval
    drafted: float | None = None
    top_1: float | None = None
    top_3: float | None = None

    def as_json(self) -> dict[str, object]:
        """Return the measures for a JSON file."""
        return asdict(self)


def measure_answers(way: AnswersWay, held_out: Pairs, least_score: float) -> AnswersMeasures:
    """Measure a book on questions that it does not contain.

    Args:
        way: The answer book with the encoder, and the classifier if there is one.
        held_out: Pairs of the held-out questions.
        least_score: Score from which a text gets a draft.
    """
    results = way.find([pair.question for pair in held_out.pairs])
    drafted = float(np.mean([one.score >= least_score for one in results])) if results else None
    wanted = _wanted_groups(way.book, held_out)
    results = [one for one, group in zip(results, wanted.tolist(), strict=True) if group >= 0]
    kept = [pair.question for pair, group in zip(held_out.pairs, wanted.tolist(), strict=True) if group >= 0]
    wanted = wanted[wanted >= 0]
    keys = _answer_keys(way.book)
    found = retrieval(way.vectors, keys[way.book.question_groups], way.encoder.encode(kept), keys[wanted])
    different = len(set(keys.tolist()))
    if different <= HITS:
        found = replace(found, hit_5=None)
    if different == 1:
        found = replace(found, hit_1=None, mrr=None)
    measures = AnswersMeasures(len(held_out.pairs), found, drafted)
    if not way.book.has_categories or not kept or different == 1:
        return measures
    groups = [[one.group, *(other.group for other in one.alternatives)] for one in results]
    first, third = (
        float(np.mean([group in some[:count] for group, some in zip(wanted.tolist(), groups, strict=True)]))
        for count in (1, _THIRD)
    )
    return replace(measures, top_1=first, top_3=third if different > _THIRD else None)


def retrieval(
    vectors: NDArray[np.float32],
    answers: NDArray[np.integer],
    queries: NDArray[np.float32],
    wanted: NDArray[np.integer],
) -> Retrieval:
    """Measure the retrieval of answers by the nearest questions.

    Args:
        vectors: float32 [questions, size], vectors of the book's questions.
        answers: int [questions], number of the answer of each question; equal answers have equal numbers.
        queries: float32 [queries, size], vectors of the held-out questions.
        wanted: int [queries], number of the right answer of each held-out question.
    """
    return measure_ranking(answers[NearestQuestions(vectors).search(queries, SEARCHED).rows], wanted)


def measure_ranking(ranked: NDArray[np.integer], wanted: NDArray[np.integer]) -> Retrieval:
    """Measure a ranking of answers.

    Args:
        ranked: int [queries, rows], numbers of the answers found for each held-out question, the best first. An answer
            that is repeated counts only at its first place.
        wanted: int [queries], number of the right answer.
    """
    ranks = np.full(len(wanted), np.inf)
    for i, (found, right) in enumerate(zip(ranked.tolist(), wanted.tolist(), strict=True)):
        different = list(dict.fromkeys(found))
        if right in different:
            ranks[i] = different.index(right) + 1
    if not len(ranks):
        return Retrieval(0, None, None, None)
    return Retrieval(len(ranks), float((ranks == 1).mean()), float((ranks <= HITS).mean()), float((1 / ranks).mean()))


def tone_agreement(
    way: AnswersWay, texts: Sequence[str], emotions: Sequence[str], predicted: Sequence[str], tones: Mapping[str, str]
) -> float:
    """Return the share of texts whose answer has the tone that suits the emotion of the text, 0 to 1.

    Args:
        way: The answer book with its encoder.
        texts: Texts such as the prompts of prompts.toml.
        emotions: The emotion of each text.
        predicted: The emotion that the model predicts for each text. It decides which answer is chosen.
        tones: {emotion: the tone that suits it}, as in the configuration of the bot.
    """
    agreed = 0
    for found, emotion, seen in zip(way.find(texts), emotions, predicted, strict=True):
        chosen = way.choose(found.group, tones[seen])
        agreed += bool(chosen) and TONES[way.book.answer_tones[chosen[0]]] == tones[emotion]
    return agreed / max(1, len(texts))


def _wanted_groups(book: AnswerBook, held_out: Pairs) -> NDArray[np.int64]:
    """Return the group that answers each held-out pair, or -1 if the book has no such group: int64 [pairs]."""
    if book.has_categories:
        numbers = {name: group for group, name in enumerate(book.groups)}
        return np.array([numbers.get(pair.category or "", -1) for pair in held_out.pairs], np.int64)
    by_answer: dict[str, int] = {}
    for answer, group in zip(book.answers, book.answer_groups.tolist(), strict=True):
        by_answer.setdefault(answer, group)
    return np.array([by_answer.get(pair.answer or "", -1) for pair in held_out.pairs], np.int64)


def _answer_keys(book: AnswerBook) -> NDArray[np.int64]:
    """Return a number for each group, equal for groups with the same first answer: int64 [groups]."""
    if book.has_categories:
        return np.arange(len(book.groups))
    numbers: dict[str, int] = {}
    firsts = (book.answers[answers[0]] for answers in book.answers_of_groups)
    return np.array([numbers.setdefault(answer, len(numbers)) for answer in firsts], np.int64)
