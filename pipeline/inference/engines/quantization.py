"""A model's graph in int8, by NNCF's post-training quantisation; kept, and refused where it changes too many labels."""

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
from emojob.pipeline.inference.engines.engine import EngineChoice
from emojob.pipeline.inference.engines.openvino_engine import OpenVinoEngine, inputs_of
from emojob.pipeline.models.model import Model
from emojob.pipeline.models.tokenizer import Encoded
from emojob.schemas.errors import OptionError

CALIBRATED_ON = 300  # texts; what NNCF's documentation advises
MOST_CHANGED = 0.01  # share of the calibration texts whose label int8 may change

_TOKENS = 512  # of a batch while calibrating
_WAY = 1  # counts up when the way of quantising changes, so that what was kept before is made anew


def hash_texts(texts: list[str]) -> str:
    """Stands for the texts that int8 is calibrated on."""
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


def quantised(
    model: Model,
    texts: list[str],
    max_length: int,
    threads: int | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> openvino.Model:
    """The model's graph in int8, calibrated on the first of `texts` and compared with fp32 on all of them.

    Made once for a model and the same texts; note: gets a line before that. Raises OptionError where more than 1% of
    the texts change their label.
    """
    made_from = {
        "fingerprint": model.fingerprint,
        "texts": hash_texts(texts),
        "max_length": max_length,
        "versions": [openvino.__version__, metadata.version("nncf"), _WAY],  # importing it takes seconds
    }
    name = f"int8-{max_length}"
    kept = artifact_cache.load(model, name, made_from)
    if kept:
        with contextlib.suppress(RuntimeError):
            return openvino.Core().read_model(kept["folder"] / f"{name}.xml")
    note(f"quantising {model.name} to int8; the next run finds it done")
    encoded = model.encode_consecutive(texts, max_length)
    graph = _quantise(model, encoded)
    changed = _changed(model, graph, encoded, threads)
    if changed > MOST_CHANGED:
        raise OptionError(
            f"--precision int8 changes the label of {changed:.2%} of {len(encoded):,} calibration texts, and more than "
            f"{MOST_CHANGED:.0%} is too many: leave it out, or give texts more like your own with --calibration FILE"
        )
    with tempfile.TemporaryDirectory() as folder:
        openvino.save_model(graph, Path(folder) / f"{name}.xml", compress_to_fp16=False)
        files = {file.name: file.read_bytes() for file in Path(folder).iterdir()}
    artifact_cache.save(model, name, made_from, {"changed": round(changed, 4), "texts": len(encoded)}, files)
    return graph


def _quantise(model: Model, encoded: Encoded) -> openvino.Model:
    os.environ.setdefault("NNCF_CI", "1")  # or it reports on its use over the network
    import nncf

    rows = np.arange(min(len(encoded), CALIBRATED_ON))
    cut = token_batches(encoded.lengths[rows], _TOKENS, Layout.EVEN)
    batches = [pack(encoded, rows[one], _TOKENS, Layout.EVEN) for one in cut]
    samples = [inputs for batch in batches for inputs in inputs_of(batch)]
    nncf.set_log_level(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        quantised: openvino.Model = nncf.quantize(
            openvino_graph.build(model.classifier, model.shape),
            nncf.Dataset(samples),
            subset_size=len(samples),
            model_type=nncf.ModelType.TRANSFORMER,
        )
    return quantised


def _changed(model: Model, graph: openvino.Model, encoded: Encoded, threads: int | None) -> float:
    """The share of texts whose label is another one than in fp32."""
    choice = EngineChoice("openvino", "cpu", "fp32", "")
    exact = OpenVinoEngine(model, choice, threads)
    quick = OpenVinoEngine(model, replace(choice, precision="int8"), threads, graph)
    return float((_labels(exact, encoded) != _labels(quick, encoded)).mean())


def _labels(engine: OpenVinoEngine, encoded: Encoded) -> NDArray[np.int64]:
    labels = np.empty(len(encoded), np.int64)
    batches = token_batches(encoded.lengths, _TOKENS, engine.layout)

    def packed() -> Iterator[Packed]:
        return (pack(encoded, batch, _TOKENS, engine.layout) for batch in batches)

    for batch, logits in zip(batches, engine.run(packed()), strict=True):
        labels[batch] = logits.argmax(1)
    return labels
