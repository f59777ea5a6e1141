"""Chunks of an archive to labels: on this process's engine, its stages overlapping."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.chunks import Chunk
from pipeline.scorer import Prepared, Scored, Scorer
from pipeline.stages import Clock, Stages

Took = Callable[[Chunk, float], None]  # is told how many seconds an engine took for a chunk


@dataclass(frozen=True)
class Labelled:
    """A chunk, what its rows came to, and their tokens: all of them, and those unknown to the tokenizer."""

    chunk: Chunk
    scored: Scored
    tokens: tuple[int, int]


class Labelling(Protocol):
    """A way to label chunks."""

    def label(self, chunks: Iterator[Chunk], text_column: str, took: Took) -> Iterator[Labelled]:
        """The chunks labelled, in their order, some taken ahead. Raises Stopped once the stages were told to stop."""


class OneEngine:
    """Tokenizing, inference and labelling in threads of this process."""

    def __init__(self, scorer: Scorer, stages: Stages, clock: Clock) -> None:
        self._scorer, self._stages, self._clock = scorer, stages, clock

    def label(self, chunks: Iterator[Chunk], text_column: str, took: Took) -> Iterator[Labelled]:
        """The chunks labelled, in their order, some taken ahead."""
        prepared = self._stages.ahead(self._prepared(chunks, text_column))
        for chunk, ready, probabilities in self._stages.ahead(self._inferred(prepared, took), 1):
            with self._clock.busy("label"):
                scored = self._scorer.label(ready, probabilities)
                tokens = self._scorer.count_tokens(ready)
            yield Labelled(chunk, scored, tokens)

    def _prepared(self, chunks: Iterator[Chunk], text_column: str) -> Iterator[tuple[Chunk, Prepared]]:
        for chunk in chunks:
            with self._clock.busy("tokenize"):
                prepared = self._scorer.prepare(chunk.window.batch.column(text_column), chunk.previous)
            yield chunk, prepared

    def _inferred(
        self, chunks: Iterator[tuple[Chunk, Prepared]], took: Took
    ) -> Iterator[tuple[Chunk, Prepared, NDArray[np.float32]]]:
        for chunk, prepared in chunks:
            begun = time.perf_counter()
            with self._clock.busy("infer"):
                probabilities = self._scorer.infer(prepared, lambda: self._stages.stopping)
            took(chunk, time.perf_counter() - begun)
            yield chunk, prepared, probabilities
