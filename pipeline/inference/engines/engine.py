"""Defines the interface of an engine, and finds the engines that the options allow and the machine can run."""

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
            OutOfMemory: The device has too little memory for a batch whose logits are not yet yielded.
        """


def choices(options: ModelOptions, here: hardware.Machine) -> list[EngineChoice]:
    """Return the candidate engines, the preferred engine first.

    There are several candidates only on a CPU with OpenVINO. Then `pipeline.inference.engine_choice` selects the
    candidate with the highest measured rate.

    Args:
        options: The options that the user gave.
        here: This machine.

    Raises:
        OptionError: The options require an engine, device or precision that is unavailable here.
    """
    if options.engine == "ray":
        raise OptionError("--engine ray works only for `emojob score` and `nightly`: leave it out, or give torch")
    if options.device == "cuda" and not here.gpus:
        raise OptionError(
            "--device cuda: no CUDA device was found: give --device cpu or auto (`emojob doctor` shows the GPUs)"
        )
    for_openvino = options.engine == "openvino" or options.precision == "int8"
    device = options.device if options.device != "auto" else "cuda" if here.gpus and not for_openvino else "cpu"
    precision, why = _precision(options, here, device)
    where = f"GPU {here.gpus[0]}" if device == "cuda" else "CPU, as requested" if here.gpus else "no CUDA device"
    if for_openvino:
        _check_openvino(options, device)
        engines = ["openvino"]
    elif options.engine == "auto" and device == "cpu" and precision != "fp16" and hardware.is_installed("openvino"):
        engines = ["openvino", "torch"]
    else:
        engines = ["torch"]
    found = [EngineChoice(engine, device, precision, f"{where}; {why}") for engine in engines]
    if options.precision == "auto" and "openvino" in engines and not here.has_amx and hardware.is_installed("nncf"):
        found.append(EngineChoice("openvino", device, "int8", f"{where}; int8, because the processor has no AMX"))
    return found


def _check_openvino(options: ModelOptions, device: str) -> None:
    """Raise OptionError if OpenVINO, which int8 needs too, is not installed or does not fit the other options."""
    asked = "--engine openvino" if options.engine == "openvino" else "--precision int8"
    if options.engine == "torch":
        raise OptionError("--precision int8 does not work with --engine torch: leave out one of the two options")
    if device == "cuda":
        raise OptionError(f"{asked} works only on a CPU: leave out {asked} or --device cuda")
    if options.precision == "fp16":
        raise OptionError(
            "--engine openvino has no --precision fp16: give --precision fp32, bf16 or int8, or give --engine torch"
        )
    needed = ["openvino", "nncf"] if options.precision == "int8" else ["openvino"]
    missing = [package for package in needed if not hardware.is_installed(package)]
    if missing:
        raise OptionError(f"{asked} needs {' and '.join(missing)}: install with pip install 'emojob[openvino]'")


def _precision(options: ModelOptions, here: hardware.Machine, device: str) -> tuple[str, str]:
    """Return (precision, reason for this precision)."""
    if options.precision != "auto":
        return options.precision, f"{options.precision} as requested"
    if device == "cuda":
        precision = "bf16" if here.native_bf16_gpu else "fp16"
        return precision, f"{precision}, which the GPU supports natively"
    if here.fast_bf16:
        name = "AMX" if "amx_bf16" in here.instructions else "AVX512-BF16"
        return "bf16", f"bf16, because the processor has {name}"
    return "fp32", "fp32, because the processor has neither AMX nor AVX512-BF16"


def softmax(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return the probabilities, float32 [rows, labels]; each row sums to 1.

    Args:
        logits: float32 [rows, labels].
        temperature: Divisor of the logits; a value above 1 makes the probabilities more equal.
    """
    scaled = logits.astype(np.float64) / temperature
    exponents = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return cast(NDArray[np.float32], (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32))
