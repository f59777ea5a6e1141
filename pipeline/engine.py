"""The engine: one forward pass of the model on a device, in a precision that suits it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline import machine
from pipeline.batching import Packed, filled
from pipeline.bert import Classifier, Layer
from pipeline.model import Model
from schemas.errors import OptionError
from schemas.options import ModelOptions

OutOfMemory = torch.OutOfMemoryError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

# Tokens in one forward pass where the user names none: what keeps a CPU's caches or a GPU's processors busy.
BATCH_TOKENS = {"cpu": 2048, "cuda": 65_536}


@dataclass(frozen=True)
class Choice:
    """Where and how a model is run, and why."""

    engine: str
    device: str
    precision: str
    why: str


def choose(options: ModelOptions, here: machine.Machine) -> Choice:
    """Settle `auto` for this machine. Raises OptionError where what was asked for is not to be had."""
    if options.engine in ("openvino", "ray"):
        raise OptionError(f"--engine {options.engine} is not in this version: leave it out, or give torch")
    if options.device == "cuda" and not here.gpus:
        raise OptionError(
            "--device cuda: no CUDA device is to be seen here: give cpu or auto (`emojob doctor` says more)"
        )
    if options.precision == "int8":
        raise OptionError("--precision int8 is not in this version: leave it out, or give fp32, bf16 or fp16")
    device = ("cuda" if here.gpus else "cpu") if options.device == "auto" else options.device
    where = f"{here.gpus[0]} is here" if device == "cuda" else "no CUDA device" if not here.gpus else "as asked"
    if options.precision != "auto":
        return Choice("torch", device, options.precision, f"{where}; {options.precision} as asked")
    if device == "cuda":
        precision = "bf16" if here.native_bf16_gpu else "fp16"
        return Choice("torch", device, precision, f"{where}; {precision} is native to it")
    if here.fast_bf16:
        name = "AMX" if "amx_bf16" in here.instructions else "AVX512-BF16"
        return Choice("torch", device, "bf16", f"{where}; bf16, since the processor has {name}")
    return Choice("torch", device, "fp32", f"{where}; fp32, since the processor has neither AMX nor AVX512-BF16")


class TorchEngine:
    """BERT in torch: fused attention, weights laid out for the processor, next to no padding and no mask."""

    def __init__(self, model: Model, choice: Choice, threads: int | None = None) -> None:
        self.choice = choice
        self.labels = len(model.labels)
        self._threads = threads or machine.cores()
        self._device = torch.device(choice.device)
        classifier = copy.deepcopy(model.classifier).to(self._device).eval()
        for layer in classifier.encoder.layers:
            cast(Layer, layer).multiply_in(DTYPES[choice.precision])
        if choice.device == "cpu" and choice.precision == "bf16":
            _pack(classifier)
        self._classifier = classifier

    def logits(self, batch: Packed) -> NDArray[np.float32]:
        """The logits of the texts of a batch: float32 [rows, labels].

        Raises torch.OutOfMemoryError where the device has not the memory for so many tokens.
        """
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)  # counts for the calling thread only
        rows = len(batch.firsts)
        with torch.inference_mode():
            ids, positions, firsts = (
                torch.from_numpy(one).to(self._device) for one in (batch.ids, batch.positions, batch.firsts)
            )
            segments = None if batch.segments is None else torch.from_numpy(batch.segments).to(self._device)
            firsts = F.pad(firsts, (0, filled(rows) - rows))
            pooled = self._classifier.encoder.packed(ids, positions, batch.groups, segments, firsts=firsts)
            logits = self._classifier.head(torch.tanh(self._classifier.pooler(pooled)))[:rows]
            return cast(NDArray[np.float32], logits.float().cpu().numpy())


def softmax(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Probabilities float32 [rows, labels] of logits [rows, labels], each row summing to 1."""
    scaled = logits.astype(np.float64) / temperature
    exponents = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return cast(NDArray[np.float32], (exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32))


class _PackedLinear(nn.Module):
    """A linear layer with its weight laid out once for oneDNN's bf16 kernels, GELU on request in the same pass."""

    def __init__(self, linear: nn.Linear, activation: str) -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), BATCH_TOKENS["cpu"])
        self.bias = linear.bias.detach()
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        return cast(
            Tensor,
            torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, self.activation, [], "none"),
        )


def _pack(classifier: Classifier) -> None:
    """Replace the blocks' linear layers by packed ones, where this build of torch has oneDNN's and they agree."""
    up = cast(nn.Linear, cast(Layer, classifier.encoder.layers[0]).up)
    try:
        with torch.inference_mode():
            x = torch.randn(32, up.in_features, dtype=torch.bfloat16)
            if not torch.allclose(_PackedLinear(up, "gelu")(x), F.gelu(up(x)), atol=0.02, rtol=0.02):
                return
    except (RuntimeError, AttributeError):
        return
    with torch.inference_mode():
        for layer in classifier.encoder.layers:
            cast(Layer, layer).pack(_PackedLinear)
