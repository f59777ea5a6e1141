"""Defines the interface of an engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray

from emojob.pipeline.inference.batching import Layout, Packed
from emojob.pipeline.models.model import Model

OutOfMemory = torch.OutOfMemoryError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

# Default token budget of a batch: small enough for the caches of a CPU, large enough to use all cores of a GPU.
BATCH_TOKENS = {"cpu": 2048, "cuda": 65_536}


@dataclass(frozen=True)
class EngineChoice:
    """An engine, its device and its precision.

    Attributes:
        engine: torch or openvino.
        device: cpu or cuda.
        precision: fp32, bf16, fp16 or int8.
        why: Reason for the choice, shown to the user.
        calibrated_on: Hash of the int8 calibration texts; None without calibration.
        tokens_per_second: Measured rate with the current model; None if unknown.
    """

    engine: str
    device: str
    precision: str
    why: str
    calibrated_on: str | None = None
    tokens_per_second: float | None = None


class Engine(Protocol):
    """Interface of an engine. An engine runs a model on batches.

    Attributes:
        choice: The engine, its device and its precision.
        layout: The layout of the batches that the engine accepts.
    """

    choice: EngineChoice
    layout: Layout

    def run(self, batches: Iterable[Packed]) -> Iterator[NDArray[np.float32]]:
        """Yield the logits of each batch, float32 [rows, labels], in order.

        The engine may read a few batches in advance.

        Raises:
            OutOfMemory: A batch is too large for the memory of the device. Logits of earlier batches are yielded first.
        """


def probabilities_of(logits: NDArray[np.float32], model: Model) -> NDArray[np.float32]:
    """Return the probabilities of a model, float32 [rows, labels]: softmax, or a sigmoid for each label.

    Args:
        logits: float32 [rows, labels].
        model: The model.
    """
    return (sigmoid if model.is_multi else softmax)(logits, model.temperature)


def sigmoid(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return the independent probabilities of the labels, float32 [rows, labels]. The arguments are as in `softmax`."""
    scaled = logits.astype(np.float64) / temperature
    tails = np.exp(-np.abs(scaled))  # never overflows
    return cast(NDArray[np.float32], (np.where(scaled >= 0, 1, tails) / (1 + tails)).astype(np.float32))


def softmax(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return the probabilities, float32 [rows, labels]; each row sums to 1.

    Args:
        logits: float32 [rows, labels].
        temperature: Number by which the logits are divided. A temperature above 1 lowers high probabilities and raises
            low probabilities.
    """
    scaled = logits.astype(np.float64) / temperature
    exponents = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return cast(NDArray[np.float32], (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32))
