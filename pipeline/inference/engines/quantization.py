"""Converts a model to int8 with NNCF's post-training quantization, and caches the int8 graph.

The int8 graph is rejected if int8 changes the labels of more than 1% of the calibration texts.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray

from emojob.pipeline.inference import artifact_cache
from emojob.pipeline.inference.batching import Layout, Packed, pack, token_batches
from emojob.pipeline.inference.engines import openvino_graph
from emojob.pipeline.inference.engines.engine import EngineChoice, probabilities_of
from emojob.pipeline.inference.engines.openvino_engine import OpenVinoEngine, group_inputs
from emojob.pipeline.models.model import Model
from emojob.pipeline.models.tokenizer import Encoded
from emojob.schemas.errors import OptionError

CALIBRATED_ON = 300  # number of calibration texts, as NNCF's documentation recommends
MOST_CHANGED = 0.01  # maximum share of texts whose int8 label differs from the fp32 label

_TOKENS = 512  # number of tokens per batch during calibration
_METHOD_VERSION = 1  # add 1 when the quantization changes, so that cached graphs of the old version are ignored


def hash_texts(texts: list[str]) -> str:
    """Return the SHA-256 of calibration texts, hexadecimal."""
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


def quantized_graph(
    model: Model,
    texts: list[str],
    max_length: int,
    threads: int | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> openvino.Model:
    """Return the int8 graph of a model, from the cache if possible.

    Args:
        model: The model.
        texts: Calibration texts. NNCF uses the first 300. The int8 and fp32 labels of all texts are compared.
        max_length: Maximum number of tokens of a text.
        threads: Number of threads for comparing the labels. None: one thread per core.
        note: callback(message), called before the slow quantization.

    Raises:
        OptionError: int8 changes the labels of more than 1% of the calibration texts.
    """
    # the version of NNCF comes from the metadata, because `import nncf` is slow
    made_from = {
        "fingerprint": model.fingerprint,
        "texts": hash_texts(texts),
        "max_length": max_length,
        "versions": [openvino.__version__, metadata.version("nncf"), _METHOD_VERSION],
    }
    name = f"int8-{max_length}"
    saved = artifact_cache.load(model, name, made_from)
    if saved:
        with contextlib.suppress(RuntimeError):
            return openvino.Core().read_model(saved["folder"] / f"{name}.xml")
    note(f"quantizing {model.name} to int8; the next run reuses the result")
    encoded = model.encode_consecutive(texts, max_length)
    graph = _quantize(model, encoded)
    changed = _changed_share(model, graph, encoded, threads)
    if changed > MOST_CHANGED:
        raise OptionError(
            f"--precision int8 changes the labels of {changed:.2%} of {len(encoded):,} calibration texts (limit: "
            f"{MOST_CHANGED:.0%}): leave out --precision, or give --calibration FILE with texts that are "
            "similar to your dataset"
        )
    with tempfile.TemporaryDirectory() as folder:
        openvino.save_model(graph, Path(folder) / f"{name}.xml", compress_to_fp16=False)
        files = {file.name: file.read_bytes() for file in Path(folder).iterdir()}
    artifact_cache.save(model, name, made_from, {"changed": round(changed, 4), "texts": len(encoded)}, files)
    return graph


def _quantize(model: Model, encoded: Encoded) -> openvino.Model:
    """Return the int8 graph, calibrated on the first CALIBRATED_ON texts."""
    os.environ.setdefault("NNCF_CI", "1")  # otherwise NNCF sends usage data over the network
    import nncf

    rows = np.arange(min(len(encoded), CALIBRATED_ON))
    batches = [
        pack(encoded, rows[batch], _TOKENS, Layout.EVEN)
        for batch in token_batches(encoded.lengths[rows], _TOKENS, Layout.EVEN)
    ]
    samples = [inputs for batch in batches for inputs in group_inputs(batch)]
    nncf.set_log_level(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        quantized: openvino.Model = nncf.quantize(
            openvino_graph.build(model.classifier, model.shape),
            nncf.Dataset(samples),
            subset_size=len(samples),
            model_type=nncf.ModelType.TRANSFORMER,
        )
    return quantized


def _changed_share(model: Model, graph: openvino.Model, encoded: Encoded, threads: int | None) -> float:
    """Return the share of texts whose int8 label differs from the fp32 label, from 0 to 1."""
    choice = EngineChoice("openvino", "cpu", "fp32", "")
    fp32 = OpenVinoEngine(model, choice, threads)
    int8 = OpenVinoEngine(model, replace(choice, precision="int8"), threads, graph)
    return float((_carried(model, fp32, encoded) != _carried(model, int8, encoded)).any(axis=1).mean())


def _carried(model: Model, engine: OpenVinoEngine, encoded: Encoded) -> NDArray[np.bool_]:
    """Return which labels each text carries: bool [rows, labels]."""
    carried = np.zeros((len(encoded), len(model.labels)), np.bool_)
    batches = token_batches(encoded.lengths, _TOKENS, engine.layout)

    def packed() -> Iterator[Packed]:
        return (pack(encoded, batch, _TOKENS, engine.layout) for batch in batches)

    for batch, logits in zip(batches, engine.run(packed()), strict=True):
        if model.thresholds is None:
            carried[batch, logits.argmax(1)] = True
        else:
            carried[batch] = probabilities_of(logits, model) >= np.array(model.thresholds, np.float32)
    return carried
