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

from emojob.pipeline.inference.batching import Layout, Packed, filled
from emojob.pipeline.inference.engines.engine import BATCH_TOKENS, DTYPES, EngineChoice, OutOfMemory
from emojob.pipeline.models import bert
from emojob.pipeline.models.bert import Bounds, Classifier, Layer
from emojob.pipeline.models.model import Model
from emojob.pipeline.system import hardware

_AHEAD = 2  # batches under way on a GPU: while one is worked on, the next one's tokens are copied


class TorchEngine:
    """BERT in torch: fused attention, weights laid out for the processor."""

    layout = Layout.PACKED

    def __init__(self, model: Model, choice: EngineChoice, threads: int | None = None) -> None:
        self.choice = choice
        self._threads = threads or hardware.cores()
        self._device = torch.device(choice.device)
        self._dtype = DTYPES[choice.precision]
        classifier = copy.deepcopy(model.classifier).to(self._device).eval()
        for layer in classifier.encoder.layers:
            cast(Layer, layer).set_matmul_dtype(self._dtype)
        if choice.device == "cuda":
            # what the layers add up to as well: a GPU's memory is slow beside its products
            classifier.encoder.to(self._dtype)
        elif choice.precision == "bf16":
            _pack(classifier)
        self._classifier = classifier
        self._at_once = choice.device == "cuda" and _attends_at_once(model, self._device, self._dtype)

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
        bounds = self._bounds(batch, len(firsts)) if self._at_once else None
        states = self._classifier.encoder.packed(ids, positions, batch.groups, segments, firsts=firsts, bounds=bounds)
        logits: Tensor = self._classifier.head(torch.tanh(self._classifier.pooler(states.float())))[:rows]
        return logits.float()

    def _bounds(self, batch: Packed, texts: int) -> Bounds:
        """Where the batch's texts lie, and then such as have no token, so that there are `texts` of them."""
        begins = np.full(texts + 1, len(batch.ids) - batch.padding, np.int32)
        begins[: len(batch.firsts)] = batch.firsts
        return Bounds(self._there(begins), max(length for _, length in batch.groups))

    def _there(self, array: NDArray[np.integer]) -> Tensor:
        """An array on the device, copied while the device works."""
        tensor = torch.from_numpy(array)
        return tensor if self._device.type == "cpu" else tensor.pin_memory().to(self._device, non_blocking=True)


def _attends_at_once(model: Model, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether torch has attention over texts of several lengths at once here, and it comes to what it should."""
    if dtype is torch.float32 or bert.varlen_attention() is None:
        return False
    layer = Layer(model.shape).to(device=device, dtype=dtype).eval()
    layer.set_matmul_dtype(dtype)
    groups = [(2, 9), (3, 4)]
    begins = torch.tensor([0, 9, 18, 22, 26, 30], dtype=torch.int32, device=device)
    try:
        with torch.inference_mode():
            x = _some(30, model.shape.hidden_size).to(device, dtype)
            return torch.allclose(layer(x, groups), layer(x, groups, bounds=Bounds(begins, 9)), atol=0.05, rtol=0.05)
    except (RuntimeError, TypeError):  # this torch, or this GPU, has it not, or in another form
        return False


def _some(rows: int, size: int) -> Tensor:
    """Numbers to compare two ways with, the same in every process: all are to decide alike."""
    return torch.randn(rows, size, generator=torch.Generator().manual_seed(0))


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
            x = _some(32, up.in_features).to(torch.bfloat16)
            if not torch.allclose(_PackedLinear(up, "gelu")(x), F.gelu(up(x)), atol=0.02, rtol=0.02):
                return
    except (RuntimeError, AttributeError):
        return
    with torch.inference_mode():
        for layer in classifier.encoder.layers:
            cast(Layer, layer).pack(_PackedLinear)
