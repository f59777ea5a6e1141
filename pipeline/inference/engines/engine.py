"""Defines the interface of an engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray

from emojob.pipeline.inference.batching import Layout, Packed

OutOfMemory = torch.OutOfMemoryError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

# Default token budget of a batch. On a CPU, such a batch fits into the caches; on a GPU, it uses all processors.
BATCH_TOKENS = {"cpu": 2048, "cuda": 65_536}


@dataclass(frozen=True)
class EngineChoice:
    """An engine with its device and precision, and the reason for this choice.

    Attributes:
        engine: torch or openvino.
        device: cpu or cuda.
        precision: fp32, bf16, fp16 or int8.
        why: Reason for the choice, shown to the user.
        calibrated_on: Hash of the texts that calibrated int8; None if nothing was calibrated.
        tokens_per_second: Measured rate with the current model; None if unknown.
    """

    engine: str
    device: str
    precision: str
    why: str
    calibrated_on: str | None = None
    tokens_per_second: float | None = None


class Engine(Protocol):
    """The interface of an engine, which runs a model on batches.

    Attributes:
        choice: The engine, its device and its precision.
        layout: The layout that the batches must have.
    """

    choice: EngineChoice
    layout: Layout

    def run(self, batches: Iterable[Packed]) -> Iterator[NDArray[np.float32]]:
        """Yield the logits of each batch, float32 [rows, labels], in order.

        A few batches may be read before the first logits are yielded.

        Raises:
            OutOfMemory: The device has too little memory for a batch. Logits of earlier batches are yielded first.
        """


def softmax(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return the probabilities, float32 [rows, labels]; each row sums to 1.

    Args:
        logits: float32 [rows, labels].
        temperature: Divisor of the logits; a value above 1 makes the probabilities more equal.
    """
    scaled = logits.astype(np.float64) / temperature
    exponents = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return cast(NDArray[np.float32], (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32))
