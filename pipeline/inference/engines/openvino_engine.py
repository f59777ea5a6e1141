"""Runs a model in OpenVINO on a CPU, with one stream per core.

Each request contains texts of equal length. The logits of a text are bit-identical in every batch.
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

# Maximum number of cached kernels. OpenVINO needs one kernel for each shape [rows, tokens]. OpenVINO's default (5,000
# kernels) needs up to 1,300 MB more memory, and is only 5% faster.
_SHAPES = 64
_AHEAD = 2  # number of requests per stream: one running request, and one request that can start immediately


class OpenVinoEngine:
    """An engine that runs BERT in OpenVINO."""

    layout = Layout.EVEN

    def __init__(
        self, model: Model, choice: EngineChoice, threads: int | None = None, graph: openvino.Model | None = None
    ) -> None:
        """Compile the graph of a model.

        Args:
            model: The model.
            choice: The engine (openvino) and the precision.
            threads: Number of threads. None: one thread per core.
            graph: Graph to run, for example an int8 graph. None: build the graph from the model.
        """
        self.choice = choice
        self._weights = model.classifier  # keeps the weights in memory, because the graph does not copy them
        streams = threads or hardware.cores()
        # OpenVINO cannot run bf16 if the environment variable DNNL_MAX_CPU_ISA excludes bf16.
        fp32 = choice.precision == "fp32" or hardware.bf16_is_excluded()
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": "f32" if fp32 else "bf16",
            "INFERENCE_NUM_THREADS": streams,
            "NUM_STREAMS": streams,
            "ENABLE_CPU_PINNING": False,  # otherwise concurrent runs would use the same cores
            "CPU_RUNTIME_CACHE_CAPACITY": _SHAPES,
        }
        graph = graph or openvino_graph.build(model.classifier, model.shape)
        compiled = openvino.Core().compile_model(graph, "CPU", settings)
        self._requests = [compiled.create_infer_request() for _ in range(_AHEAD * streams)]

    def run(self, batches: Iterable[Packed]) -> Iterator[NDArray[np.float32]]:
        """Yield the logits of each batch, float32 [rows, labels], in order."""
        # (request, whether the request is the last of the batch)
        running: deque[tuple[openvino.InferRequest, bool]] = deque()
        idle = deque(self._requests)
        parts: list[NDArray[np.float32]] = []
        try:
            for batch in batches:
                groups = list(group_inputs(batch))
                for i, inputs in enumerate(groups):
                    if not idle:
                        yield from self._next(running, idle, parts)
                    request = idle.popleft()
                    request.start_async(inputs)
                    running.append((request, i == len(groups) - 1))
            while running:
                yield from self._next(running, idle, parts)
        finally:
            for request, _ in running:  # if the caller stopped reading early, some requests are still running
                request.wait()

    def _next(
        self,
        running: deque[tuple[openvino.InferRequest, bool]],
        idle: deque[openvino.InferRequest],
        parts: list[NDArray[np.float32]],
    ) -> Iterator[NDArray[np.float32]]:
        """Wait for the oldest request. If the request is the last request of a batch, yield the logits of the batch."""
        request, is_last = running[0]
        request.wait()
        running.popleft()
        parts.append(request.get_output_tensor().data.copy())
        idle.append(request)
        if is_last:
            logits = np.concatenate(parts)
            parts.clear()
            yield logits


def group_inputs(batch: Packed) -> Iterator[list[NDArray[np.int32]]]:
    """Yield [ids, segments] for each group of texts of equal length. Both arrays are int32 [rows, tokens]."""
    start = 0
    for rows, length in batch.groups:
        group = slice(start, start + rows * length)
        ids = batch.ids[group].reshape(rows, length)
        segments = np.zeros_like(ids) if batch.segments is None else batch.segments[group].reshape(rows, length)
        yield [ids, segments]
        start = group.stop
