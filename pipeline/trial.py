"""Which engine a model is run on: where several come into question, the fastest with this model on this machine.

Measured once, which takes some seconds, and kept beside the model. Small jobs do not wait for that: they take what was
measured before, or else the first that comes into question.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from pipeline import machine, model_cache, versions
from pipeline.batching import Layout, Packed, pack, token_batches
from pipeline.engine import BATCH_TOKENS, Choice, Engine, choices
from pipeline.model import Model
from pipeline.samples import sample_texts
from schemas.errors import OptionError
from schemas.options import ModelOptions

#: How many times as fast int8 must be to be worth the labels that it changes.
WORTH_IT = 1.3

_QUANTISING = 1 << 30  # bytes that it takes beside six times the weights
_SECONDS = 1.0  # of each engine that is measured
_BATCHES = 3  # of them, gone round
_NAME = "fastest"


def settle(
    options: ModelOptions,
    model: Model,
    threads: int | None = None,
    patient: bool = False,
    note: Callable[[str], None] = lambda text: None,
) -> Engine:
    """Start the engine that suits the options, the machine and the model.

    patient: measure where nothing has been measured yet. note: gets a line before what takes long. Raises OptionError
    where what was asked for is not to be had.
    """
    here = machine.look()
    found = in_question(options, model, here)
    if len(found) == 1:
        return start(found[0], model, options, threads, note)
    rates = recall(model, found, here)
    if rates is None and not patient:
        return start(found[0], model, options, threads, note)
    if rates is None:
        note(f"measuring which engine is fastest with {model.name}; it is done once")
        rates = measure(model, found, options, threads, note)
        model_cache.keep(model, _NAME, _made_from(model, found, here), rates, {})
    return start(fastest(found, rates), model, options, threads, note)


def measure(
    model: Model, found: list[Choice], options: ModelOptions, threads: int | None, note: Callable[[str], None]
) -> dict[str, float]:
    """Tokens/s of each choice with this model; 0 where it cannot be used."""
    return {label(choice): _rate(choice, model, options, threads, note) for choice in found}


def fastest(found: list[Choice], rates: dict[str, float]) -> Choice:
    """Of some choices that with the highest rate, tokens/s; int8 only where it is much faster than the others."""
    worth = {one: rates[label(one)] / (WORTH_IT if one.precision == "int8" else 1) for one in found}
    best = max(found, key=lambda one: worth[one])
    others = ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items() if name != label(best) and rate)
    rate = rates[label(best)]
    return replace(
        best, why=f"{best.why}; fastest with this model: {rate:,.0f} tokens/s, {others}", tokens_per_second=rate
    )


def in_question(options: ModelOptions, model: Model, here: machine.Machine) -> list[Choice]:
    """The choices for a model; int8 unasked only where there is memory enough to quantise it.

    Measured, that takes 0.9 GB for the default model and 2.6 for one of KoBERT's size.
    """
    found = choices(options, here)
    weights = 4 * sum(one.numel() for one in model.classifier.parameters())
    if options.precision == "int8" or here.memory > _QUANTISING + 6 * weights:
        return found
    return [one for one in found if one.precision != "int8"]


def recall(model: Model, found: list[Choice], here: machine.Machine) -> dict[str, float] | None:
    """The rates that were measured for these choices, model and machine before, tokens/s."""
    kept = model_cache.recall(model, _NAME, _made_from(model, found, here))
    return kept and {label(choice): float(kept[label(choice)]) for choice in found}


def start(
    choice: Choice,
    model: Model,
    options: ModelOptions,
    threads: int | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Engine:
    """The engine of a choice. Raises OptionError where int8 changes too many labels."""
    if choice.engine == "torch":
        from pipeline.torch_engine import TorchEngine

        return TorchEngine(model, choice, threads)
    from pipeline.openvino_engine import OpenVinoEngine

    if choice.precision != "int8":
        return OpenVinoEngine(model, choice, threads)
    from pipeline.quantization import calibration_texts, quantised

    texts = calibration_texts(options.calibration)
    return OpenVinoEngine(model, choice, threads, quantised(model, texts, options.max_length, threads, note))


def _rate(
    choice: Choice, model: Model, options: ModelOptions, threads: int | None, note: Callable[[str], None]
) -> float:
    """Tokens/s of an engine, in a second of batches after a first one; 0 where it cannot be used."""
    try:
        engine = start(choice, model, options, threads, note)
    except OptionError:  # int8 changes too many labels
        return 0.0
    batches = _batches(model, options.batch_tokens or BATCH_TOKENS[choice.device], engine.layout)
    ready = engine.run(itertools.cycle(batches))
    for _ in batches:  # the first time, kernels are made and weights laid out
        next(ready)
    begun, tokens = time.perf_counter(), 0
    for batch, _ in zip(itertools.cycle(batches), ready, strict=False):
        tokens += len(batch.ids) - batch.padding
        if time.perf_counter() - begun > _SECONDS:
            break
    return tokens / (time.perf_counter() - begun)


def _batches(model: Model, batch_tokens: int, layout: Layout) -> list[Packed]:
    """A few full batches of common lengths, from the sample's utterances."""
    encoded = model.tokenizer.encode(sample_texts() * 8)
    cut = token_batches(encoded.lengths, batch_tokens, layout)
    largest = sorted(cut, key=lambda rows: -int(encoded.lengths[rows].sum()))[:_BATCHES]
    return [pack(encoded, rows, batch_tokens, layout) for rows in largest]


def label(choice: Choice) -> str:
    """What a choice is called where its rate stands."""
    return f"{choice.engine} in {choice.precision}"


def _made_from(model: Model, found: list[Choice], here: machine.Machine) -> dict[str, Any]:
    """What the rates depend on."""
    installed = versions.installed()
    return {
        "shape": asdict(model.shape),
        "choices": [label(choice) for choice in found],
        "processor": here.processor,
        "cores": here.cores,
        "versions": {package: installed[package] for package in ("torch", "openvino") if package in installed},
    }
