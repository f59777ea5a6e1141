"""Starts an engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.inference.engines.engine import Engine, EngineChoice
from emojob.pipeline.models.model import Model
from emojob.schemas.options import ModelOptions


def start_engine(
    choice: EngineChoice,
    model: Model,
    options: ModelOptions,
    threads: int | None = None,
    note: Callable[[str], None] = lambda text: None,
    calibration_texts: Callable[[], list[str]] = sample_texts,
) -> Engine:
    """Start an engine.

    Args:
        choice: Engine, device and precision.
        model: The model.
        options: Options with the maximum length.
        threads: Number of threads of the engine. None: one thread per core.
        note: callback(message), called before each slow step.
        calibration_texts: callback() that returns the texts for int8 calibration.

    Raises:
        OptionError: int8 changes the labels of more than 1% of the calibration texts.
    """
    if choice.engine == "torch":
        from emojob.pipeline.inference.engines.torch_engine import TorchEngine

        return TorchEngine(model, choice, threads)
    from emojob.pipeline.inference.engines.openvino_engine import OpenVinoEngine

    if choice.precision != "int8":
        return OpenVinoEngine(model, choice, threads)
    from emojob.pipeline.inference.engines.quantization import hash_texts, quantized_graph

    texts = list(dict.fromkeys(calibration_texts()))
    choice = replace(choice, calibrated_on=hash_texts(texts))
    return OpenVinoEngine(model, choice, threads, quantized_graph(model, texts, options.max_length, threads, note))
