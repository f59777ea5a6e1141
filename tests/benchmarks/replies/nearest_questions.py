"""Measure the exact search for the nearest questions against the matrix product alone.

    python tests/benchmarks/replies/nearest_questions.py [--questions 100000] [--queries 256] [--size 768] [--count 10]

Each pair measures both, one after the other. Prints the seconds and the ratio of each pair, the median ratio, how
much the search raises the largest memory of the process, and whether the result equals a search in float64.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time

import click
import numpy as np
import torch

from emojob.pipeline.replies.answers.nearest import NearestQuestions


def unit_vectors(rows: int, size: int, seed: int) -> np.ndarray:
    """Return random vectors of length 1: float32 [rows, size]."""
    vectors = np.random.default_rng(seed).standard_normal((rows, size), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def is_exact(vectors: np.ndarray, queries: np.ndarray, scores: np.ndarray, rows: np.ndarray) -> bool:
    """Return whether the rows and scores of a few queries equal those of a search in float64."""
    for query, found, given in zip(queries[:8].astype(np.float64), rows, scores, strict=False):
        products = np.concatenate([part @ query for part in np.array_split(vectors, 64)]).astype(np.float32)
        order = np.lexsort((np.arange(len(products)), -products))[: len(found)]
        if not (np.array_equal(order, found) and np.allclose(products[order], given, atol=1e-6)):
            return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=256)
    parser.add_argument("--size", type=int, default=768)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    vectors, queries = unit_vectors(given.questions, given.size, 1), unit_vectors(given.queries, given.size, 2)
    nearest = NearestQuestions(vectors)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    book, across = torch.from_numpy(vectors), torch.from_numpy(queries).T.contiguous()
    found = nearest.search(queries, given.count)
    searched = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    products = torch.empty(given.questions, given.queries)
    torch.mm(book, across, out=products)
    ratios = []
    for _ in range(given.pairs):
        begun = time.perf_counter()
        torch.mm(book, across, out=products)
        between = time.perf_counter()
        nearest.search(queries, given.count)
        alone, search = between - begun, time.perf_counter() - between
        ratios.append(search / alone)
        click.echo(f"product alone {alone:.3f} s, search {search:.3f} s, ratio {ratios[-1]:.2f}")
    click.echo(
        f"{given.questions:,} questions of {given.size} numbers, {given.queries} queries, {given.count} nearest: "
        f"median ratio {statistics.median(ratios):.2f}; vectors "
        f"{vectors.nbytes / 2**20:,.0f} MiB, the search raises the largest memory by {(searched - before) / 1024:,.0f} "
        "MiB; equal to float64: "
        f"{is_exact(vectors, queries, *found)}"
    )


if __name__ == "__main__":
    main()
