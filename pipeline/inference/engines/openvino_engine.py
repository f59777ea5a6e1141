"""The engine in OpenVINO: on a CPU, a stream of its own for each core, texts of one length together.

What a text comes to does not depend on those beside it, to the bit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from emojob.pipeline.inference.batching import Layout, Packed
from emojob.pipeline.inference.engines import openvino_graph
from emojob.pipeline.inference.engines.engine import EngineChoice
from emojob.pipeline.models.model import Model
from emojob.pipeline.system import hardware

# Shapes for which kernels are kept; each number of rows and of tokens makes one. OpenVINO's own 5,000 took up to 1,300
# MB more and were 5% faster at most.
_SHAPES = 64
_AHEAD = 2  # requests for each stream: while one is worked on, the next one is waiting


class OpenVinoEngine:
    """BERT in OpenVINO. graph: another one than the model's own, such as a quantised one."""

    layout = Layout.EVEN

    def __init__(
        self, model: Model, choice: EngineChoice, threads: int | None = None, graph: openvino.Model | None = None
    ) -> None:
        self.choice = choice
        self._weights = model.classifier  # the graph uses them where they lie
        streams = threads or hardware.cores()
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": "f32" if choice.precision == "fp32" else "bf16",
            "INFERENCE_NUM_THREADS": streams,
            "NUM_STREAMS": streams,
            "ENABLE_CPU_PINNING": False,  # two runs beside each other would take the same cores
            "CPU_RUNTIME_CACHE_CAPACITY": _SHAPES,
        }
        graph = graph or openvino_graph.build(model.classifier, model.shape)
        compiled = openvino.Core().compile_model(graph, "CPU", settings)
        self._requests = [compiled.create_infer_request() for _ in range(_AHEAD * streams)]

    def run(self, batches: Iterable[Packed]) -> Iterator[NDArray[np.float32]]:
        """The logits of each batch's texts, float32 [rows, labels], batch after batch."""
        under_way: deque[tuple[openvino.InferRequest, bool]] = deque()  # and whether a batch ends with it
        idle = deque(self._requests)
        parts: list[NDArray[np.float32]] = []
        try:
            for batch in batches:
                groups = list(inputs_of(batch))
                for i, inputs in enumerate(groups):
                    if not idle:
                        yield from self._next(under_way, idle, parts)
                    request = idle.popleft()
                    request.start_async(inputs)
                    under_way.append((request, i == len(groups) - 1))
            while under_way:
                yield from self._next(under_way, idle, parts)
        finally:
            for request, _ in under_way:  # whoever takes from this has had enough
                request.wait()

    def _next(
        self,
        under_way: deque[tuple[openvino.InferRequest, bool]],
        idle: deque[openvino.InferRequest],
        parts: list[NDArray[np.float32]],
    ) -> Iterator[NDArray[np.float32]]:
        """Wait for the oldest request; the batch's logits, where it was the last of one."""
        request, ends = under_way[0]
        request.wait()
        under_way.popleft()
        parts.append(request.get_output_tensor().data.copy())
        idle.append(request)
        if ends:
            logits = np.concatenate(parts)
            parts.clear()
            yield logits


def inputs_of(batch: Packed) -> Iterator[list[NDArray[np.int32]]]:
    """Ids and segments of each run of texts of one length: int32 [rows, tokens]."""
    start = 0
    for rows, length in batch.groups:
        within = slice(start, start + rows * length)
        ids = batch.ids[within].reshape(rows, length)
        segments = np.zeros_like(ids) if batch.segments is None else batch.segments[within].reshape(rows, length)
        yield [ids, segments]
        start = within.stop
