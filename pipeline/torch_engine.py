"""The engine in torch: on a CUDA device or a CPU, in fp32 or 16 bits, next to no padding and no mask."""

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

from pipeline import machine
from pipeline.batching import Layout, Packed, filled
from pipeline.bert import Classifier, Layer
from pipeline.engine import BATCH_TOKENS, DTYPES, Choice, OutOfMemory
from pipeline.model import Model

_AHEAD = 2  # batches under way on a GPU: while one is worked on, the next one's tokens are copied


class TorchEngine:
    """BERT in torch: fused attention, weights laid out for the processor."""

    layout = Layout.PACKED

    def __init__(self, model: Model, choice: Choice, threads: int | None = None) -> None:
        self.choice = choice
        self._threads = threads or machine.cores()
        self._device = torch.device(choice.device)
        classifier = copy.deepcopy(model.classifier).to(self._device).eval()
        for layer in classifier.encoder.layers:
            cast(Layer, layer).multiply_in(DTYPES[choice.precision])
        if choice.device == "cpu" and choice.precision == "bf16":
            _pack(classifier)
        self._classifier = classifier

    def run(self, batches: Iterable[Packed]) -> Iterator[NDArray[np.float32]]:
        """The logits of each batch's texts, float32 [rows, labels], batch after batch."""
        if self._device.type == "cpu":
            yield from map(self.logits, batches)
            return
        under_way: deque[tuple[Tensor, torch.cuda.Event]] = deque()
        for batch in batches:
            try:
                under_way.append(self._begin(batch))
            except OutOfMemory:  # of this batch: those before it are done
                while under_way:
                    yield _finished(*under_way.popleft())
                raise
            if len(under_way) >= _AHEAD:
                yield _finished(*under_way.popleft())
        while under_way:
            yield _finished(*under_way.popleft())

    def logits(self, batch: Packed) -> NDArray[np.float32]:
        """The logits of the texts of a batch: float32 [rows, labels]."""
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)  # counts for the calling thread only
        with torch.inference_mode():
            return cast(NDArray[np.float32], self._forward(batch).numpy())

    def _begin(self, batch: Packed) -> tuple[Tensor, torch.cuda.Event]:
        """Queue a batch on the GPU; the logits are in the tensor once the event has come."""
        with torch.inference_mode():
            logits = self._forward(batch)
            out = torch.empty(logits.shape, dtype=torch.float32, pin_memory=True)
            out.copy_(logits, non_blocking=True)
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record()
        return out, event

    def _forward(self, batch: Packed) -> Tensor:
        """Logits float32 [rows, labels] on the device."""
        rows = len(batch.firsts)
        ids, positions = self._there(batch.ids), self._there(batch.positions)
        segments = None if batch.segments is None else self._there(batch.segments)
        # padded too: how a sum of fp32 is rounded must not depend on how many texts there are
        firsts = self._there(np.pad(batch.firsts, (0, filled(rows) - rows)))
        pooled = self._classifier.encoder.packed(ids, positions, batch.groups, segments, firsts=firsts)
        logits: Tensor = self._classifier.head(torch.tanh(self._classifier.pooler(pooled)))[:rows]
        return logits.float()

    def _there(self, array: NDArray[np.integer]) -> Tensor:
        """An array on the device, copied while the device works."""
        tensor = torch.from_numpy(array)
        return tensor if self._device.type == "cpu" else tensor.pin_memory().to(self._device, non_blocking=True)


def _finished(logits: Tensor, event: torch.cuda.Event) -> NDArray[np.float32]:
    event.synchronize()
    return cast(NDArray[np.float32], logits.numpy())


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
