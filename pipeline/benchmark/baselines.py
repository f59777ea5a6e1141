"""Measures baselines: common programs that label the same texts with the library `transformers`.

A baseline uses the weights, the tokenizer and the number of threads of the job. The comparison favours the baseline,
because a baseline reads no dataset and writes no labels.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from emojob.pipeline.inference.engines.engine import DTYPES
from emojob.pipeline.models.bert import to_hf
from emojob.pipeline.models.hf_tokenizer import write_tokenizer
from emojob.pipeline.models.model import Model
from emojob.pipeline.system import hardware

Run = Iterator[int]  # yields the number of finished texts after each batch

_BATCH = 64
_GPU_BATCHES = (64, 256, 1024)  # batch sizes to try for a transformers pipeline


@dataclass(frozen=True)
class Baseline:
    """A program that labels texts.

    Attributes:
        name: Name of the baseline in the results.
        run: Function that labels texts. After each batch, it yields the number of finished texts.
        whole: Whether to ignore the time limit. A baseline that labels the longest texts first must finish. Its first
            batches are the slowest, so a partial run would measure a speed that is too low.
    """

    name: str
    run: Callable[[list[str]], Run]
    whole: bool = False


def rates(
    model: Model, texts: list[str], device: str, precision: str, max_length: int, seconds: float
) -> dict[str, dict[str, float]]:
    """Measure the speed of each baseline.

    Args:
        model: The model.
        texts: The texts to label.
        device: cpu or cuda.
        precision: fp32, bf16 or fp16.
        max_length: Maximum number of tokens in a text; longer texts are truncated.
        seconds: Time limit for each baseline, in seconds. A baseline with `whole=True` has no time limit.

    Returns:
        {name of the baseline: {"rows": number of finished texts, "rows_per_second": speed}}.
    """
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.set_num_threads(hardware.cores())
    with tempfile.TemporaryDirectory(prefix="emojob-baselines-") as folder, torch.inference_mode():
        _write_stock(model, Path(folder), max_length)
        return {
            baseline.name: _rate(baseline, texts, seconds) for baseline in _baselines(Path(folder), device, precision)
        }


def _rate(baseline: Baseline, texts: list[str], seconds: float) -> dict[str, float]:
    for _ in itertools.islice(baseline.run(texts[:_BATCH]), 1):  # warm-up without measurement
        pass
    begun, rows, spent = time.perf_counter(), 0, 0.0
    for done in baseline.run(texts):
        rows, spent = done, time.perf_counter() - begun
        if spent > seconds and not baseline.whole:
            break
    return {"rows": rows, "rows_per_second": round(rows / max(spent, 1e-9), 1)}


def _write_stock(model: Model, folder: Path, max_length: int) -> None:
    """Write the model in fp32 as a model folder for the library `transformers`."""
    from transformers import BertConfig

    shape = model.shape
    config = BertConfig(
        vocab_size=shape.vocab_size,
        hidden_size=shape.hidden_size,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.intermediate_size,
        max_position_embeddings=shape.max_positions,
        type_vocab_size=shape.type_vocab_size,
        layer_norm_eps=shape.layer_norm_eps,
        pad_token_id=shape.pad_id,
        id2label=dict(enumerate(model.labels)),
        architectures=["BertForSequenceClassification"],
    )
    config.save_pretrained(folder)
    weights = to_hf({name: weight.float() for name, weight in model.classifier.state_dict().items()})
    save_file(
        {name: weight.contiguous() for name, weight in weights.items()}, folder / "model.safetensors", {"format": "pt"}
    )
    write_tokenizer(model.tokenizer, folder, max_length)


def _baselines(folder: Path, device: str, precision: str) -> Iterator[Baseline]:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    stock = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval().to(device)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    yield Baseline("the notebook's loop: fp32, all padded", _padded(stock, tokenizer))
    yield Baseline("transformers pipeline, fp32", _pipeline(stock, tokenizer, _best_batch(stock, tokenizer, device)))
    yield Baseline("sorted, as sentence-transformers, fp32", _sorted(stock, tokenizer), whole=True)
    if precision in ("bf16", "fp16"):
        stock = stock.to(DTYPES[precision])
        yield Baseline(
            f"transformers pipeline, {precision}", _pipeline(stock, tokenizer, _best_batch(stock, tokenizer, device))
        )
        yield Baseline(f"sorted, as sentence-transformers, {precision}", _sorted(stock, tokenizer), whole=True)
    if device == "cpu" and hardware.is_installed("openvino"):
        compiled = _compiled(folder)
        yield Baseline("sorted, OpenVINO as it comes", _sorted(compiled, tokenizer), whole=True)


def _padded(stock: nn.Module, tokenizer: Any) -> Callable[[list[str]], Run]:
    """Return a function that pads every text to the maximum length, as in many notebooks."""

    def run(texts: list[str]) -> Run:
        for start in range(0, len(texts), _BATCH):
            _label(stock, tokenizer, texts[start : start + _BATCH], "max_length")
            yield min(start + _BATCH, len(texts))

    return run


def _sorted(stock: Callable[..., Any], tokenizer: Any) -> Callable[[list[str]], Run]:
    """Return a function that sorts the texts by length and pads each batch, as in sentence-transformers."""

    def run(texts: list[str]) -> Run:
        ordered = sorted(texts, key=len, reverse=True)
        for start in range(0, len(ordered), _BATCH):
            _label(stock, tokenizer, ordered[start : start + _BATCH], True)
            yield min(start + _BATCH, len(ordered))

    return run


def _label(stock: Callable[..., Any], tokenizer: Any, texts: list[str], padding: str | bool) -> list[int]:
    """Return the label ID of each text in a batch."""
    batch = tokenizer(texts, padding=padding, truncation=True, return_tensors="pt")
    device = getattr(stock, "device", "cpu")
    logits: Tensor = stock(**{name: tensor.to(device) for name, tensor in batch.items()}).logits
    return [int(i) for i in logits.float().softmax(-1).argmax(-1).tolist()]


def _pipeline(stock: nn.Module, tokenizer: Any, batch: int) -> Callable[[list[str]], Run]:
    from transformers import pipeline

    made: Any = pipeline(
        "text-classification", model=cast(Any, stock), tokenizer=tokenizer, device=cast(Any, stock.device)
    )

    def run(texts: list[str]) -> Run:
        results = made((text for text in texts), batch_size=batch, truncation=True)
        yield from (done for done, _ in enumerate(results, 1))

    return run


def _best_batch(stock: nn.Module, tokenizer: Any, device: str) -> int:
    """Return the batch size for a transformers pipeline. On a GPU, this is the fastest of _GPU_BATCHES."""
    if device == "cpu":
        return _BATCH
    texts = [f"{i}번째 문장은 조금 길거나 짧아요" * (1 + i % 3) for i in range(4096)]
    found = {}
    for batch in _GPU_BATCHES:
        found[batch] = _rate(Baseline("", _pipeline(stock, tokenizer, batch)), texts, 3.0)["rows_per_second"]
    return max(found, key=lambda batch: found[batch])


@dataclass(frozen=True)
class _Answer:
    logits: Tensor


def _compiled(folder: Path) -> Callable[..., _Answer]:
    """Compile the model with OpenVINO, and return a function that labels a batch."""
    import openvino
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
    from transformers import AutoModelForSequenceClassification

    stock = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    example = {name: torch.ones((2, 8), dtype=torch.long) for name in ("input_ids", "attention_mask", "token_type_ids")}
    with contextlib.redirect_stderr(io.StringIO()):
        frontend = FrontEndManager().load_by_framework("pytorch")  # convert_model would send usage data
        # keep a reference, because the decoder must exist until the conversion ends
        decoder = TorchScriptPythonDecoder(stock.eval(), example_input=example)
        graph = frontend.convert(frontend.load(decoder))
    # OpenVinoEngine uses the same setting
    settings = {"INFERENCE_PRECISION_HINT": "f32"} if hardware.bf16_is_excluded() else {}
    compiled = openvino.compile_model(graph, "CPU", settings)
    names = [next(iter(port.get_names())) for port in compiled.inputs]

    def label(**batch: Tensor) -> _Answer:
        return _Answer(torch.from_numpy(compiled({name: batch[name].numpy() for name in names})[0]))

    return label
