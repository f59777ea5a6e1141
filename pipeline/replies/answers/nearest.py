"""Finds the questions of an answer book that are nearest to a text: exact search with matrix products.

The matrix product of all queries and all vectors is larger than the processor's caches, and a selection over it takes
longer than the product itself. Therefore the search works in blocks that fit into the cache. For each group of
`_GROUP` vectors, only the highest product is kept. Only the best groups are searched afterwards.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

#: Number of consecutive vectors in a group.
_GROUP = 16
#: Number of groups in a block.
_BLOCK_GROUPS = 128
#: Maximum number of queries that are searched together.
_QUERIES = 256

# Largest difference between a product in fp32 and the exact product, as a fraction of the lengths of both vectors.
_TOLERANCE = 1e-5


class Found(NamedTuple):
    """The nearest vectors of each query, the nearest first.

    Attributes:
        scores: float32 [queries, count], dot products.
        rows: int64 [queries, count], row numbers of the vectors.
    """

    scores: NDArray[np.float32]
    rows: NDArray[np.int64]


class NearestQuestions:
    """Exact nearest-neighbour search over the vectors of questions. There is no index to build or to store.

    Args:
        vectors: float32 [questions, size], one vector for each question. The array is not copied.
    """

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self._vectors = np.ascontiguousarray(vectors, np.float32)
        self._longest = _longest(self._vectors)

    def __len__(self) -> int:
        return len(self._vectors)

    def search(self, queries: NDArray[np.float32], count: int) -> Found:
        """Return the vectors with the highest dot products.

        Vectors with equal dot products are in the order of their row numbers. The result of a query does not depend on
        the other queries: dot products are computed again in float64 before they are compared and returned.

        Args:
            queries: float32 [queries, size].
            count: Number of vectors for each query. If there are fewer vectors, all are returned.
        """
        queries = np.ascontiguousarray(queries, np.float32)
        count = min(count, len(self._vectors))
        found = Found(np.zeros((len(queries), count), np.float32), np.zeros((len(queries), count), np.int64))
        if not count:
            return found
        for start in range(0, len(queries), _QUERIES):
            some = queries[start : start + _QUERIES]
            highest = self._highest_of_groups(some)
            least = highest.topk(min(count, highest.shape[1]), dim=1).values[:, -1].numpy()
            for i, query in enumerate(some):
                candidates = self._candidates(query, highest[i].numpy(), float(least[i]), count)
                scores, rows = _ranked(query, self._vectors, candidates, count)
                found.scores[start + i], found.rows[start + i] = scores, rows
        return found

    def _highest_of_groups(self, queries: NDArray[np.float32]) -> Tensor:
        """Return the highest product of each query with each group of vectors: float32 [queries, groups]."""
        vectors, across = torch.from_numpy(self._vectors), torch.from_numpy(queries).T.contiguous()
        groups, rest = divmod(len(vectors), _GROUP)
        highest = torch.empty(groups + bool(rest), len(queries))
        products = torch.empty(min(groups, _BLOCK_GROUPS) * _GROUP, len(queries))
        for start in range(0, groups, _BLOCK_GROUPS):
            stop = min(groups, start + _BLOCK_GROUPS)
            block = products[: (stop - start) * _GROUP]
            torch.mm(vectors[start * _GROUP : stop * _GROUP], across, out=block)
            torch.amax(block.view(stop - start, _GROUP, -1), 1, out=highest[start:stop])
        if rest:
            highest[groups] = (vectors[groups * _GROUP :] @ across).amax(0)
        return highest.T.contiguous()

    def _candidates(
        self, query: NDArray[np.float32], highest: NDArray[np.float32], least: float, count: int
    ) -> NDArray[np.int64]:
        """Return the rows that may be among the nearest `count`, ascending.

        Args:
            query: float32 [size].
            highest: float32 [groups], the highest product of each group.
            least: The `count`-th highest value of `highest`; the lowest value if there are fewer groups.
            count: Number of wanted rows.
        """
        margin = _TOLERANCE * self._longest * float(np.linalg.norm(query))
        if not margin:  # all products are 0
            return np.arange(count)
        if len(highest) < count:
            least = -np.inf
        groups = np.flatnonzero(highest >= least - margin)
        rows = (groups[:, None] * _GROUP + np.arange(_GROUP)).ravel()
        rows = rows[: int(np.searchsorted(rows, len(self._vectors)))]
        products = self._vectors[rows] @ query
        if len(rows) > count:
            rows = rows[products >= np.partition(products, -count)[-count] - margin]
        return rows


def _ranked(
    query: NDArray[np.float32], vectors: NDArray[np.float32], rows: NDArray[np.int64], count: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the scores and the row numbers of the nearest `count` rows of `rows`, the nearest first."""
    scores = (vectors[rows].astype(np.float64) * query).sum(axis=1).astype(np.float32)
    order = np.argsort(-scores, kind="stable")[:count]
    return scores[order], rows[order]


def _longest(vectors: NDArray[np.float32]) -> float:
    """Return the length of the longest vector."""
    chunks = (vectors[start : start + 65_536] for start in range(0, len(vectors), 65_536))
    return max((float(np.linalg.norm(chunk, axis=1).max()) for chunk in chunks), default=0.0)
