"""Measures baselines: common programs that label the same texts with the library `transformers`.

A baseline uses the weights, the tokenizer and the number of threads of the job, and the batch size with which it is
fastest on this machine. On a CPU, there are also baselines in int8. The comparison favours the baseline, because a
baseline reads no dataset and writes no labels.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
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

#: Function that labels all texts in batches of a given size.
Run = Callable[[list[str], int], None]

_CPU_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)  # batch sizes to try, on a CPU and on a GPU
_GPU_BATCHES = (16, 64, 256, 1024)
_WORSE = 0.7  # larger batches are not tried if two batch sizes have less than this share of the best speed
_MEASURED_TWICE = 3  # the best batch sizes are measured twice, because other programs may slow down one measurement
_FEWEST_TEXTS = 16  # minimum number of texts for measuring a batch size
_CALIBRATED_ON = 100  # number of texts for the int8 model of OpenVINO


@dataclass(frozen=True)
class Baseline:
    """A program that labels texts.

    Attributes:
        name: Name of the baseline in the results.
        run: Function that labels texts.
        batch: The batch size with which the program is fastest on this machine.
        rows: Number of rows that the program labels in about the wanted time.
    """

    name: str
    run: Run
    batch: int
    rows: int

    def rate(self, texts: Sequence[str]) -> float:
        """Label `rows` of the texts, spread evenly over the texts, and return the speed in rows/s."""
        return _rate(self.run, spread_evenly(texts, self.rows), self.batch)


@contextlib.contextmanager
def baselines(
    model: Model, texts: list[str], device: str, precision: str, max_length: int, seconds: float
) -> Iterator[list[Baseline]]:
    """Yield the baselines, each with its best batch size.

    Args:
        model: The model.
        texts: The texts to label.
        device: cpu or cuda.
        precision: fp32, bf16 or fp16.
        max_length: Maximum number of tokens in a text; longer texts are truncated.
        seconds: Wanted time of one measurement of a baseline, in seconds.
    """
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    sizes = _CPU_BATCHES if device == "cpu" else _GPU_BATCHES
    with tempfile.TemporaryDirectory(prefix="emojob-baselines-") as folder:
        _write_stock(model, Path(folder), max_length)
        found = []
        for name, run in _programs(Path(folder), device, precision, texts):
            batch, rate = best_batch(run, texts, sizes, seconds / 4)
            rows = min(len(texts), max(4 * batch, int(rate * seconds)))
            found.append(Baseline(name, run, batch, rows))
        yield found


def best_batch(run: Run, texts: Sequence[str], sizes: Sequence[int], seconds: float) -> tuple[int, float]:
    """Return the batch size with which a program is fastest, and the speed in rows/s.

    Args:
        run: The program.
        texts: The texts. Only a part is labelled.
        sizes: Batch sizes to try, the smallest first.
        seconds: Wanted time for each batch size, in seconds.
    """
    _rate(run, spread_evenly(texts, _FEWEST_TEXTS), sizes[0])  # warm-up without measurement
    found: dict[int, float] = {}
    for batch in sizes:
        found[batch] = _rate_of_size(run, texts, batch, seconds)
        last_two = list(found.values())[-2:]
        if max(last_two) < _WORSE * max(found.values()) or batch >= len(texts):
            break
    best_first = sorted(found, key=lambda size: -found[size])[:_MEASURED_TWICE]
    means = {batch: (found[batch] + _rate_of_size(run, texts, batch, seconds)) / 2 for batch in best_first}
    best = max(means, key=lambda size: means[size])
    return best, means[best]


def _rate_of_size(run: Run, texts: Sequence[str], batch: int, seconds: float) -> float:
    """Label texts for at least `seconds`, and return the speed in rows/s."""
    sample = spread_evenly(texts, max(2 * batch, _FEWEST_TEXTS))
    rows, spent = 0, 0.0
    while spent < seconds:
        rate = _rate(run, sample, batch)
        rows, spent = rows + len(sample), spent + len(sample) / rate
    return rows / spent


def spread_evenly(texts: Sequence[str], count: int) -> list[str]:
    """Return `count` texts at equal distances, or all texts if there are fewer."""
    count = min(count, len(texts))
    return [texts[i * len(texts) // count] for i in range(count)]


def _rate(run: Run, texts: list[str], batch: int) -> float:
    torch.set_num_threads(hardware.cores())  # a job before may have changed the number
    begun = time.perf_counter()
    with torch.inference_mode():
        run(texts, batch)
    return len(texts) / max(time.perf_counter() - begun, 1e-9)


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


def _programs(folder: Path, device: str, precision: str, texts: list[str]) -> Iterator[tuple[str, Run]]:
    """Yield (name, program) of each baseline."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)

    def stock(dtype: torch.dtype) -> nn.Module:
        return cast(
            nn.Module, AutoModelForSequenceClassification.from_pretrained(folder, dtype=dtype).eval().to(device)
        )

    fp32: nn.Module = stock(torch.float32)
    yield "the notebook's loop: fp32, all padded", _padded(fp32, tokenizer)
    yield "transformers pipeline, fp32", _pipeline(fp32, tokenizer)
    yield "sorted, as sentence-transformers, fp32", _sorted(fp32, tokenizer)
    if precision in ("bf16", "fp16"):
        half = stock(DTYPES[precision])
        yield f"transformers pipeline, {precision}", _pipeline(half, tokenizer)
        yield f"sorted, as sentence-transformers, {precision}", _sorted(half, tokenizer)
    if device != "cpu":
        return
    int8 = _dynamic_int8(fp32)
    if int8 is not None:
        yield "transformers pipeline, int8 of torch", _pipeline(int8, tokenizer)
        yield "sorted, as sentence-transformers, int8 of torch", _sorted(int8, tokenizer)
    if hardware.is_installed("openvino"):
        graph = _openvino_graph(folder)
        yield "sorted, OpenVINO as it comes", _sorted(_compiled(graph), tokenizer)
        if hardware.is_installed("nncf"):
            quantized = _openvino_int8(graph, tokenizer, spread_evenly(texts, _CALIBRATED_ON))
            yield "sorted, OpenVINO in int8", _sorted(_compiled(quantized), tokenizer)


def _padded(stock: nn.Module, tokenizer: Any) -> Run:
    """Return a function that pads every text to the maximum length, as in many notebooks."""

    def run(texts: list[str], batch: int) -> None:
        for start in range(0, len(texts), batch):
            _label(stock, tokenizer, texts[start : start + batch], "max_length")

    return run


def _sorted(stock: Callable[..., Any], tokenizer: Any) -> Run:
    """Return a function that sorts the texts by length and pads each batch, as in sentence-transformers."""

    def run(texts: list[str], batch: int) -> None:
        ordered = sorted(texts, key=len, reverse=True)
        for start in range(0, len(ordered), batch):
            _label(stock, tokenizer, ordered[start : start + batch], True)

    return run


def _label(stock: Callable[..., Any], tokenizer: Any, texts: list[str], padding: str | bool) -> list[int]:
    """Return the label ID of each text in a batch."""
    batch = tokenizer(texts, padding=padding, truncation=True, return_tensors="pt")
    device = getattr(stock, "device", "cpu")
    logits: Tensor = stock(**{name: tensor.to(device) for name, tensor in batch.items()}).logits
    return [int(i) for i in logits.float().softmax(-1).argmax(-1).tolist()]


def _pipeline(stock: nn.Module, tokenizer: Any) -> Run:
    from transformers import pipeline

    made: Any = pipeline(
        "text-classification", model=cast(Any, stock), tokenizer=tokenizer, device=cast(Any, stock.device)
    )

    def run(texts: list[str], batch: int) -> None:
        for _ in made((text for text in texts), batch_size=batch, truncation=True):
            pass

    return run


def _dynamic_int8(stock: nn.Module) -> nn.Module | None:
    """Return the model with torch's dynamic int8 quantization of linear layers; None if this torch has none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated in favour of the package torchao, but the usual way so far
        try:
            from torch.ao.quantization import quantize_dynamic

            quantize: Callable[..., nn.Module] = quantize_dynamic
            return quantize(stock, {nn.Linear}, dtype=torch.qint8)
        except (ImportError, AttributeError, RuntimeError):
            return None


@dataclass(frozen=True)
class _Answer:
    logits: Tensor


def _openvino_graph(folder: Path) -> Any:
    """Convert the model to an OpenVINO graph."""
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
    from transformers import AutoModelForSequenceClassification

    stock = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    example = {name: torch.ones((2, 8), dtype=torch.long) for name in ("input_ids", "attention_mask", "token_type_ids")}
    with contextlib.redirect_stderr(io.StringIO()):
        frontend = FrontEndManager().load_by_framework("pytorch")  # convert_model would send usage data
        # keep a reference, because the decoder must exist until the conversion ends
        decoder = TorchScriptPythonDecoder(stock.eval(), example_input=example)
        return frontend.convert(frontend.load(decoder))


def _openvino_int8(graph: Any, tokenizer: Any, texts: list[str]) -> Any:
    """Return the int8 graph that NNCF makes with its usual settings, calibrated on the texts."""
    os.environ.setdefault("NNCF_CI", "1")  # otherwise NNCF sends usage data over the network
    import nncf

    samples = [
        {name: tensor.numpy() for name, tensor in tokenizer([text], truncation=True, return_tensors="pt").items()}
        for text in texts
    ]
    nncf.set_log_level(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return nncf.quantize(
            graph, nncf.Dataset(samples), subset_size=len(samples), model_type=nncf.ModelType.TRANSFORMER
        )


def _compiled(graph: Any) -> Callable[..., _Answer]:
    """Compile an OpenVINO graph, and return a function that labels a batch."""
    import openvino

    # OpenVinoEngine uses the same setting
    settings = {"INFERENCE_PRECISION_HINT": "f32"} if hardware.bf16_is_excluded() else {}
    compiled = openvino.compile_model(graph, "CPU", settings)
    names = [next(iter(port.get_names())) for port in compiled.inputs]

    def label(**batch: Tensor) -> _Answer:
        return _Answer(torch.from_numpy(compiled({name: batch[name].numpy() for name in names})[0]))

    return label
