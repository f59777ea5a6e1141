"""Texts to labels on this process's engine: tokenizing, inference and labelling in threads that overlap."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.inference.scoring_model import Prepared, Scored
from emojob.pipeline.reading.chunks import Chunk
from emojob.pipeline.system.prefetch import Stages, StageTimer

K = TypeVar("K")

Took = Callable[[Chunk, float], None]  # is told how many seconds an engine took for a chunk


@dataclass(frozen=True)
class Texts(Generic[K]):
    """Texts to label together. of: what they are of; previous: the utterance before each, where the model reads it."""

    of: K
    texts: pa.Array
    previous: pa.Array | None = None


@dataclass(frozen=True)
class Labelled(Generic[K]):
    """What texts came to. tokens: of all of them, and those unknown to the tokenizer; seconds: that the engine took."""

    of: K
    scored: Scored
    tokens: tuple[int, int]
    seconds: float


def texts_of(chunk: Chunk, text_column: str) -> Texts[Chunk]:
    """The texts of a chunk."""
    return Texts(chunk, chunk.row_batch.batch.column(text_column), chunk.previous)


def label(
    scorer: Scorer,
    given: Iterator[Texts[K]],
    stages: Stages,
    timer: StageTimer,
    took: Callable[[K, float], None] = lambda of, seconds: None,
) -> Iterator[Labelled[K]]:
    """The texts labelled, in their order, some taken ahead; took: is told how many seconds the engine took for some.

    Raises Stopped once the stages were told to stop.
    """
    prepared = stages.prefetch(_prepared(scorer, given, timer))
    for of, ready, probabilities, seconds in stages.prefetch(_inferred(scorer, prepared, stages, timer, took), 1):
        with timer.busy("label"):
            labelled = Labelled(of, scorer.label(ready, probabilities), scorer.count_tokens(ready), seconds)
        yield labelled


def _prepared(scorer: Scorer, given: Iterator[Texts[K]], timer: StageTimer) -> Iterator[tuple[K, Prepared]]:
    for one in given:
        with timer.busy("tokenize"):
            prepared = scorer.prepare(one.texts, one.previous)
        yield one.of, prepared


def _inferred(
    scorer: Scorer,
    given: Iterator[tuple[K, Prepared]],
    stages: Stages,
    timer: StageTimer,
    took: Callable[[K, float], None],
) -> Iterator[tuple[K, Prepared, NDArray[np.float32], float]]:
    for of, prepared in given:
        begun = time.perf_counter()
        with timer.busy("infer"):
            probabilities = scorer.infer(prepared, lambda: stages.stopping)
        seconds = time.perf_counter() - begun
        took(of, seconds)
        yield of, prepared, probabilities, seconds
