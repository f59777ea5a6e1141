"""Runs a model in torch on a GPU or a CPU, in fp32, bf16 or fp16. Batches have no mask and almost no padding."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterable, Iterator
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from emojob.pipeline.inference.batching import Layout, Packed, padded_size
from emojob.pipeline.inference.engines.engine import BATCH_TOKENS, DTYPES, EngineChoice, OutOfMemory
from emojob.pipeline.models import bert
from emojob.pipeline.models.bert import Bounds, Classifier, Layer
from emojob.pipeline.models.model import Model
from emojob.pipeline.system import hardware

_AHEAD = 2  # number of batches queued on a GPU: one batch is computed while the next batch is copied


class TorchEngine:
    """An engine that runs BERT in torch with fused attention."""

    layout = Layout.PACKED

    def __init__(self, model: Model, choice: EngineChoice, threads: int | None = None) -> None:
        """Copy a model to the device.

        Args:
            model: The model.
            choice: The engine (torch), the device and the precision.
            threads: Number of threads on a CPU. None: one thread per core.
        """
        self.choice = choice
        self._threads = threads or hardware.cores()
        self._device = torch.device(choice.device)
        self._dtype = DTYPES[choice.precision]
        classifier = copy.deepcopy(model.classifier).to(self._device).eval()
        for layer in classifier.encoder.layers:
            cast(Layer, layer).set_matmul_dtype(self._dtype)
        if choice.device == "cuda":
            # store the residual sums in the chosen precision too, because memory bandwidth limits the speed of a GPU
            classifier.encoder.to(self._dtype)
        elif choice.precision == "bf16":
            _pack_linears(classifier)
        self._classifier = classifier
        self._uses_varlen = choice.device == "cuda" and _varlen_attention_works(model, self._device, self._dtype)

    def run(self, batches: Iterable[Packed]) -> Iterator[NDArray[np.float32]]:
        """Yield the logits of each batch, float32 [rows, labels], in order."""
        if self._device.type == "cpu":
            yield from map(self.logits, batches)
            return
        queued: deque[tuple[Tensor, torch.cuda.Event]] = deque()
        for batch in batches:
            try:
                queued.append(self._enqueue(batch))
            except OutOfMemory:  # yield the logits of the earlier batches first
                while queued:
                    yield _wait_for(*queued.popleft())
                raise
            if len(queued) >= _AHEAD:
                yield _wait_for(*queued.popleft())
        while queued:
            yield _wait_for(*queued.popleft())

    def logits(self, batch: Packed) -> NDArray[np.float32]:
        """Return the logits of a batch on a CPU: float32 [rows, labels]."""
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)  # applies only to the calling thread
        with torch.inference_mode():
            return cast(NDArray[np.float32], self._forward(batch).numpy())

    def _enqueue(self, batch: Packed) -> tuple[Tensor, torch.cuda.Event]:
        """Queue a batch on the GPU. Return (logits, event). The logits are valid after the event."""
        with torch.inference_mode():
            logits = self._forward(batch)
            out = torch.empty(logits.shape, dtype=torch.float32, pin_memory=True)
            out.copy_(logits, non_blocking=True)
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record()
        return out, event

    def _forward(self, batch: Packed) -> Tensor:
        """Return the logits of a batch as a tensor on the device, float32 [rows, labels]."""
        rows = len(batch.firsts)
        ids, positions = self._to_device(batch.ids), self._to_device(batch.positions)
        segments = None if batch.segments is None else self._to_device(batch.segments)
        # pad to one of a few sizes, because fp32 sums can be rounded differently if the number of texts differs
        firsts = self._to_device(np.pad(batch.firsts, (0, padded_size(rows) - rows)))
        bounds = self._bounds(batch, len(firsts)) if self._uses_varlen else None
        states = self._classifier.encoder.packed(ids, positions, batch.groups, segments, firsts=firsts, bounds=bounds)
        logits: Tensor = self._classifier.head(torch.tanh(self._classifier.pooler(states.float())))[:rows]
        return logits.float()

    def _bounds(self, batch: Packed, texts: int) -> Bounds:
        """Return the start and end of each text. Empty texts are added until the number of texts is `texts`."""
        starts = np.full(texts + 1, len(batch.ids) - batch.padding, np.int32)
        starts[: len(batch.firsts)] = batch.firsts
        return Bounds(self._to_device(starts), max(length for _, length in batch.groups))

    def _to_device(self, array: NDArray[np.integer]) -> Tensor:
        """Start copying an array to the device, and do not wait for the end of the copy."""
        tensor = torch.from_numpy(array)
        return tensor if self._device.type == "cpu" else tensor.pin_memory().to(self._device, non_blocking=True)


def _varlen_attention_works(model: Model, device: torch.device, dtype: torch.dtype) -> bool:
    """Return whether torch's variable-length attention gives correct results on the device."""
    if dtype is torch.float32 or bert.varlen_attention() is None:
        return False
    layer = Layer(model.shape).to(device=device, dtype=dtype).eval()
    layer.set_matmul_dtype(dtype)
    groups = [(2, 9), (3, 4)]
    starts = torch.tensor([0, 9, 18, 22, 26, 30], dtype=torch.int32, device=device)
    try:
        with torch.inference_mode():
            x = _test_input(30, model.shape.hidden_size).to(device, dtype)
            return torch.allclose(layer(x, groups), layer(x, groups, bounds=Bounds(starts, 9)), atol=0.05, rtol=0.05)
    except (RuntimeError, TypeError):  # torch or the GPU does not support variable-length attention
        return False


def _test_input(rows: int, size: int) -> Tensor:
    """Return random numbers [rows, size]. The seed is fixed, so every call returns the same numbers."""
    return torch.randn(rows, size, generator=torch.Generator().manual_seed(0))


def _wait_for(logits: Tensor, event: torch.cuda.Event) -> NDArray[np.float32]:
    event.synchronize()
    return cast(NDArray[np.float32], logits.numpy())


class _PackedLinear(nn.Module):
    """A linear layer for oneDNN's bf16 kernels, optionally fused with GELU."""

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


def _pack_linears(classifier: Classifier) -> None:
    """Replace the linear layers with `_PackedLinear`, which uses oneDNN's bf16 kernels.

    The layers are kept if torch does not have these kernels, or if the kernels give wrong results in a test.
    """
    up = cast(nn.Linear, cast(Layer, classifier.encoder.layers[0]).up)
    try:
        with torch.inference_mode():
            x = _test_input(32, up.in_features).to(torch.bfloat16)
            if not torch.allclose(_PackedLinear(up, "gelu")(x), F.gelu(up(x)), atol=0.02, rtol=0.02):
                return
    except (RuntimeError, AttributeError):
        return
    with torch.inference_mode():
        for layer in classifier.encoder.layers:
            cast(Layer, layer).pack(_PackedLinear)
