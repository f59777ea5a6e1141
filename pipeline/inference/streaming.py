"""Labels a stream of texts in this process. Tokenizing, inference and labelling run at the same time, in threads."""

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
from emojob.pipeline.reading.dataset import Dataset
from emojob.pipeline.system.prefetch import Stages, StageTimer
from emojob.schemas.placeholders import without_placeholders

K = TypeVar("K")

#: callback(chunk, seconds), called after each chunk. `seconds` is the duration of the inference.
OnTiming = Callable[[Chunk, float], None]


@dataclass(frozen=True)
class Texts(Generic[K]):
    """Texts that are labelled together.

    Attributes:
        key: Any object that identifies the texts, for example a chunk. The result (`Labelled`) contains the key.
        texts: Array of strings.
        previous: The previous utterance of each text, for a model with the context `previous`.
    """

    key: K
    texts: pa.Array
    previous: pa.Array | None = None


@dataclass(frozen=True)
class Labelled(Generic[K]):
    """The result of labelling a `Texts` object.

    Attributes:
        key: The key of the `Texts` object.
        scored: Labels and probabilities of the texts.
        tokens: (number of tokens in all texts, number of unknown tokens).
        seconds: Duration of the inference in seconds.
    """

    key: K
    scored: Scored
    tokens: tuple[int, int]
    seconds: float


def chunk_texts(chunk: Chunk, dataset: Dataset) -> Texts[Chunk]:
    """Return the texts of a chunk. Null markers are null, and so are placeholders of messengers (see `Dataset`).

    Args:
        chunk: The chunk. `Texts.key` is set to the chunk.
        dataset: The dataset of the chunk.
    """
    texts = chunk.row_batch.batch.column(dataset.text_column)
    return Texts(chunk, without_placeholders(texts, dataset.placeholders), chunk.previous)


def label(
    scorer: Scorer,
    given: Iterator[Texts[K]],
    stages: Stages,
    timer: StageTimer,
    on_timing: Callable[[K, float], None] = lambda key, seconds: None,
) -> Iterator[Labelled[K]]:
    """Yield the labelled texts in the order of `given`.

    Args:
        given: Texts to label. A few items are read in advance.
        stages: Starts the threads and stops them together.
        timer: Measures how many seconds each stage is busy.
        on_timing: callback(key, seconds), called after each item. `seconds` is the duration of the inference.

    Raises:
        StopRequested: `stages` was stopped.
    """
    prepared = stages.prefetch(_prepared(scorer, given, timer))
    for key, ready, probabilities, seconds in stages.prefetch(_inferred(scorer, prepared, stages, timer, on_timing), 1):
        with timer.busy("label"):
            labelled = Labelled(key, scorer.label(ready, probabilities), scorer.count_tokens(ready), seconds)
        yield labelled


def _prepared(scorer: Scorer, given: Iterator[Texts[K]], timer: StageTimer) -> Iterator[tuple[K, Prepared]]:
    for one in given:
        with timer.busy("tokenize"):
            prepared = scorer.prepare(one.texts, one.previous)
        yield one.key, prepared


def _inferred(
    scorer: Scorer,
    given: Iterator[tuple[K, Prepared]],
    stages: Stages,
    timer: StageTimer,
    on_timing: Callable[[K, float], None],
) -> Iterator[tuple[K, Prepared, NDArray[np.float32], float]]:
    for key, prepared in given:
        started = time.perf_counter()
        with timer.busy("infer"):
            probabilities = scorer.infer(prepared, lambda: stages.stopping)
        seconds = time.perf_counter() - started
        on_timing(key, seconds)
        yield key, prepared, probabilities, seconds
