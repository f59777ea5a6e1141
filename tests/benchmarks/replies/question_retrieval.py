"""Compare the retrieval of answers by the vectors of the bot with TF-IDF, on held-out questions.

    python tests/benchmarks/replies/question_retrieval.py DATA.csv [--base MODEL] [--seeds 3]

DATA.csv holds pairs of a question and an answer, in any shape that `emojob train-replies` reads. A tenth of the
questions is held out; everything is fitted on the others. Prints for each seed, and on average, the share of questions
whose right answer is the best one (hit@1) or among the five best different answers (hit@5), and the mean reciprocal
rank. "encoder alone" are the vectors without the block of character n-grams. TF-IDF is measured with several kinds of
n-grams, as scikit-learn's TfidfVectorizer computes it (smooth idf, sublinear tf, cosine).
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import numpy as np

from emojob.pipeline.models import model
from emojob.pipeline.replies.answers.vectors import TextEncoder
from emojob.training.replies.answer_measures import SEARCHED, Retrieval, measure_ranking, retrieval
from emojob.training.replies.pairs import Pair, read_pairs
from emojob.training.replies.question_splits import split_questions


def words(text: str) -> list[str]:
    return text.lower().split()


def characters(least: int, most: int) -> Callable[[str], list[str]]:
    """Return a function that gives the character n-grams of the words of a text, with a space around each word."""

    def grams(text: str) -> list[str]:
        padded = [f" {word} " for word in words(text)]
        return [word[i : i + n] for n in range(least, most + 1) for word in padded for i in range(len(word) - n + 1)]

    return grams


def characters_of_text(text: str) -> list[str]:
    """Return the n-grams of 1 to 3 characters of a text, also those of two words."""
    padded = f" {' '.join(words(text))} "
    return [padded[i : i + n] for n in (1, 2, 3) for i in range(len(padded) - n + 1)]


KINDS = {
    "words": words,
    "characters 2-4": characters(2, 4),
    "characters 1-3": characters(1, 3),
    "text 1-3": characters_of_text,
}


def tf_idf_rows(
    kind: Callable[[str], list[str]], book: Sequence[str], queries: Sequence[str], count: int
) -> np.ndarray:
    """Return the rows of the `count` texts of `book` with the highest TF-IDF cosine: int64 [queries, count].

    Args:
        kind: callback(text) that returns the terms of a text.
        book: The texts that are searched. They decide the terms and their weights.
        queries: The texts that are looked for.
        count: Number of rows for each query.
    """
    counts = [Counter(kind(text)) for text in book]
    frequencies = Counter(term for terms in counts for term in terms)
    idf = {term: np.log((1 + len(book)) / (1 + number)) + 1 for term, number in frequencies.items()}

    def weights(terms: Counter[str]) -> dict[str, float]:
        found = {term: (1 + np.log(number)) * idf[term] for term, number in terms.items() if term in idf}
        norm = np.sqrt(sum(weight**2 for weight in found.values()))
        return {term: weight / norm for term, weight in found.items()}

    postings: dict[str, tuple[list[int], list[float]]] = {}
    for row, terms in enumerate(counts):
        for term, weight in weights(terms).items():
            rows, of_rows = postings.setdefault(term, ([], []))
            rows.append(row)
            of_rows.append(weight)
    arrays = {term: (np.array(rows), np.array(of_rows)) for term, (rows, of_rows) in postings.items()}
    best = np.zeros((len(queries), count), np.int64)
    for i, query in enumerate(queries):
        cosines = np.zeros(len(book))
        for term, weight in weights(Counter(kind(query))).items():
            rows, of_rows = arrays[term]
            cosines[rows] += weight * of_rows
        best[i] = np.argsort(-cosines, kind="stable")[:count]
    return best


def distinct_questions(pairs: Sequence[Pair]) -> tuple[list[str], np.ndarray]:
    """Return (questions without repeated ones, number of the first answer of each question: int64 [questions])."""
    first = {}
    for pair in pairs:
        if pair.answer is not None:
            first.setdefault(pair.question, pair.answer)
    numbers: dict[str, int] = {}
    return list(first), np.array([numbers.setdefault(answer, len(numbers)) for answer in first.values()])


def shown(name: str, measured: Retrieval, seconds: float) -> str:
    return f"{name:23} hit@1 {measured.hit_1:.3f}  hit@5 {measured.hit_5:.3f}  MRR {measured.mrr:.3f}  {seconds:,.1f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--base", help="a model folder; default: the default model")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    loaded = model.load(given.base)
    pairs = read_pairs(given.data)
    questions, answers = distinct_questions(pairs.pairs)
    figures: dict[str, list[float]] = {}
    for seed in range(given.seeds):
        parts = split_questions(pairs, validation=0.0, test=0.1, seed=seed)
        held_out = {pairs.pairs[row].question for row in parts.test.tolist()}
        book = np.array([row for row, question in enumerate(questions) if question not in held_out])
        known = set(answers[book].tolist())
        tested = np.array([row for row, q in enumerate(questions) if q in held_out and int(answers[row]) in known])
        of_book, of_tested = ([questions[row] for row in rows] for rows in (book, tested))
        click.echo(f"seed {seed}: {len(book):,} questions, {len(tested):,} held-out questions whose answer is known")

        begun = time.perf_counter()
        encoder, vectors = TextEncoder.fit(loaded, of_book, answers[book])
        queries = encoder.encode(of_tested)
        found = retrieval(vectors, answers[book], queries, answers[tested])
        results = {"encoder and characters": (found, time.perf_counter() - begun)}
        begun = time.perf_counter()
        states, asked = (some[:, : encoder.states_size] for some in (vectors, queries))
        found = retrieval(states, answers[book], asked, answers[tested])
        results["encoder alone"] = (found, time.perf_counter() - begun)
        for name, kind in KINDS.items():
            begun = time.perf_counter()
            rows = tf_idf_rows(kind, of_book, of_tested, SEARCHED)
            results[f"TF-IDF, {name}"] = (
                measure_ranking(answers[book][rows], answers[tested]),
                time.perf_counter() - begun,
            )
        for name, (measured, seconds) in results.items():
            click.echo(shown(name, measured, seconds))
            figures.setdefault(name, []).append(measured.hit_5)
    click.echo("mean hit@5: " + ", ".join(f"{name} {np.mean(hits):.3f}" for name, hits in figures.items()))


if __name__ == "__main__":
    main()
