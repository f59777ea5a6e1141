"""Defines the interface of engines, and finds the candidate engines for given options and machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray

from emojob.pipeline.inference.batching import Layout, Packed
from emojob.pipeline.system import hardware
from emojob.schemas.errors import OptionError
from emojob.schemas.options import ModelOptions

OutOfMemory = torch.OutOfMemoryError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

# Default number of tokens of one forward pass: fits the caches of a CPU, and fills the processors of a GPU.
BATCH_TOKENS = {"cpu": 2048, "cuda": 65_536}


@dataclass(frozen=True)
class EngineChoice:
    """An engine with device and precision, and the reason of the choice.

    Attributes:
        engine: torch or openvino.
        device: cpu or cuda.
        precision: fp32, bf16, fp16 or int8.
        why: Reason of the choice, shown to the user.
        calibrated_on: Hash of the calibration texts of int8.
        tokens_per_second: Measured rate with the current model, if known.
    """

    engine: str
    device: str
    precision: str
    why: str
    calibrated_on: str | None = None
    tokens_per_second: float | None = None


class Engine(Protocol):
    """The interface of an engine, which runs a model on batches in the layout of the engine."""

    choice: EngineChoice
    layout: Layout

    def run(self, batches: Iterable[Packed]) -> Iterator[NDArray[np.float32]]:
        """Yield the logits of each batch, float32 [rows, labels], in order. Reads a few batches ahead.

        Raises:
            OutOfMemory: The device has too little memory for the next batch or a later batch.
        """


def choices(options: ModelOptions, here: hardware.Machine) -> list[EngineChoice]:
    """Return the candidate engines, the preferred engine first.

    Only a CPU with OpenVINO has several candidates. There the measured rate of the model decides
    (`pipeline.inference.engine_choice`).

    Args:
        options: The options that the user gave.
        here: This machine.

    Raises:
        OptionError: The options ask for an engine, device or precision that is unavailable here.
    """
    if options.engine == "ray":
        raise OptionError("--engine ray is for `emojob score` and `nightly`: leave it out here, or give torch")
    if options.device == "cuda" and not here.gpus:
        raise OptionError(
            "--device cuda: no CUDA device was found: give cpu or auto (`emojob doctor` shows the details)"
        )
    for_openvino = options.engine == "openvino" or options.precision == "int8"
    device = options.device if options.device != "auto" else "cuda" if here.gpus and not for_openvino else "cpu"
    precision, why = _precision(options, here, device)
    where = f"{here.gpus[0]} is here" if device == "cuda" else "as asked" if here.gpus else "no CUDA device"
    if for_openvino:
        _check_openvino(options, device)
        engines = ["openvino"]
    elif options.engine == "auto" and device == "cpu" and precision != "fp16" and hardware.is_installed("openvino"):
        engines = ["openvino", "torch"]
    else:
        engines = ["torch"]
    found = [EngineChoice(engine, device, precision, f"{where}; {why}") for engine in engines]
    if options.precision == "auto" and "openvino" in engines and not here.has_amx and hardware.is_installed("nncf"):
        found.append(EngineChoice("openvino", device, "int8", f"{where}; int8, since the processor has no AMX"))
    return found


def _check_openvino(options: ModelOptions, device: str) -> None:
    """Raise OptionError if the options need OpenVINO, as int8 does, and OpenVINO is unavailable."""
    asked = "--engine openvino" if options.engine == "openvino" else "--precision int8"
    if options.engine == "torch":
        raise OptionError("--precision int8 is not for --engine torch: leave one of them out")
    if device == "cuda":
        raise OptionError(f"{asked} is for a CPU: leave --device cuda out, or give --engine torch")
    if options.precision == "fp16":
        raise OptionError(
            "--engine openvino is for fp32, bf16 and int8: leave --precision fp16 out, or give --engine torch"
        )
    needed = ["openvino", "nncf"] if options.precision == "int8" else ["openvino"]
    missing = [package for package in needed if not hardware.is_installed(package)]
    if missing:
        raise OptionError(f"{asked} needs {' and '.join(missing)}: pip install 'emojob[openvino]'")


def _precision(options: ModelOptions, here: hardware.Machine, device: str) -> tuple[str, str]:
    """Return the precision and the reason of the choice."""
    if options.precision != "auto":
        return options.precision, f"{options.precision} as asked"
    if device == "cuda":
        precision = "bf16" if here.native_bf16_gpu else "fp16"
        return precision, f"{precision} is native to it"
    if here.fast_bf16:
        name = "AMX" if "amx_bf16" in here.instructions else "AVX512-BF16"
        return "bf16", f"bf16, since the processor has {name}"
    return "fp32", "fp32, since the processor has neither AMX nor AVX512-BF16"


def softmax(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return the probabilities, float32 [rows, labels]; each row sums to 1.

    Args:
        logits: float32 [rows, labels].
        temperature: Divides the logits.
    """
    scaled = logits.astype(np.float64) / temperature
    exponents = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return cast(NDArray[np.float32], (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32))
