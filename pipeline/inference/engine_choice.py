"""Selects the engine. If there are several candidates, selects the fastest for this model on this machine.

The rates (tokens/s) are measured once, which takes a few seconds, and saved in the model folder. A small job does not
measure. It uses saved rates for the same options, or the first candidate if there are none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.inference import artifact_cache
from emojob.pipeline.inference.engines.engine import BATCH_TOKENS, Engine, EngineChoice, choices
from emojob.pipeline.inference.throughput import tokens_per_second
from emojob.pipeline.models.model import Model
from emojob.pipeline.system import hardware, versions
from emojob.schemas.errors import OptionError
from emojob.schemas.options import ModelOptions

#: Minimum speed-up factor of int8. A smaller speed-up does not justify the labels that int8 changes.
WORTH_IT = 1.3

_QUANTIZING = 1 << 30  # bytes that quantization needs, besides six times the size of the weights
_SECONDS = 2.0  # time to measure one engine
_TIMES = 8  # maximum number of passes over the sample texts


def select_engine(
    options: ModelOptions,
    model: Model,
    threads: int | None = None,
    may_measure: bool = False,
    note: Callable[[str], None] = lambda text: None,
    calibration_texts: Callable[[], list[str]] = sample_texts,
) -> Engine:
    """Select the engine for the options, the machine and the model, and start it.

    Args:
        options: The options that the user gave.
        model: The model.
        threads: Number of threads of the engine; None uses one thread per core.
        may_measure: Whether to measure the candidates if their rates are unknown.
        note: callback(line), called with a note before each slow step.
        calibration_texts: callback() that returns the texts for the calibration of int8; called only if int8 is a
            candidate.

    Raises:
        OptionError: The options ask for an engine, device or precision that is unavailable here.
    """
    here = hardware.detect()
    found = candidates(options, model, here)
    if len(found) == 1:
        return _start_single(found[0], here, model, options, threads, may_measure, note, calibration_texts)
    rates = recall_rates(model, found, here, options)
    if rates is None and not may_measure:
        return start_engine(found[0], model, options, threads, note, calibration_texts)
    if rates is None:
        note(f"measuring which engine is fastest with {model.name}; the next run reuses the result")
        rates = measure_rates(model, found, options, threads, note, calibration_texts)
        artifact_cache.save(model, _name(found, options), _made_from(model, found, here, options), rates, {})
    best = fastest(found, rates)
    try:
        return start_engine(best, model, options, threads, note, calibration_texts)
    except (OptionError, RuntimeError):
        others = [one for one in found if one.precision != "int8"]
        if best.precision != "int8" or not others:
            raise
        # the user did not ask for int8
        return start_engine(fastest(others, rates), model, options, threads, note, calibration_texts)


def _start_single(
    choice: EngineChoice,
    here: hardware.Machine,
    model: Model,
    options: ModelOptions,
    threads: int | None,
    may_measure: bool,
    note: Callable[[str], None],
    calibration_texts: Callable[[], list[str]],
) -> Engine:
    """Start the only candidate, with its known rate, which determines the chunk size of a job."""
    engine = start_engine(choice, model, options, threads, note, calibration_texts)
    rates = recall_rates(model, [choice], here, options)
    if rates is None and may_measure:
        rates = {choice_key(choice): _engine_rate(engine, model, options)}
        name, made_from = _name([choice], options), _made_from(model, [choice], here, options)
        artifact_cache.save(model, name, made_from, rates, {})
    if rates is not None:
        engine.choice = replace(engine.choice, tokens_per_second=rates[choice_key(choice)])
    return engine


def measure_rates(
    model: Model,
    found: list[EngineChoice],
    options: ModelOptions,
    threads: int | None,
    note: Callable[[str], None],
    calibration_texts: Callable[[], list[str]] = sample_texts,
) -> dict[str, float]:
    """Return {choice_key: tokens/s} of each choice; 0 if the choice cannot be used.

    Args:
        model: The model.
        found: The choices.
        options: Used for maximum length and token budget.
        threads: Number of threads of the engine; None uses one thread per core.
        note: callback(line), called with a note before each slow step.
        calibration_texts: callback() that returns the texts for the calibration of int8.
    """
    return {choice_key(choice): _rate(choice, model, options, threads, note, calibration_texts) for choice in found}


def fastest(found: list[EngineChoice], rates: dict[str, float]) -> EngineChoice:
    """Return the choice with the highest rate; int8 must be at least `WORTH_IT` times as fast as the other choices.

    Args:
        found: The choices.
        rates: {choice_key: tokens/s}.
    """
    worth = {one: rates[choice_key(one)] / (WORTH_IT if one.precision == "int8" else 1) for one in found}
    best = max(found, key=lambda one: worth[one])
    others = ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items() if name != choice_key(best) and rate)
    rate = rates[choice_key(best)]
    return replace(
        best, why=f"{best.why}; fastest with this model: {rate:,.0f} tokens/s, {others}", tokens_per_second=rate
    )


def candidates(options: ModelOptions, model: Model, here: hardware.Machine) -> list[EngineChoice]:
    """Return the candidates for a model. If the user did not ask for int8, int8 needs enough memory for quantization.

    Measured peak memory: 0.9 GB for the default model, 2.6 GB for a model of KoBERT's size.

    Args:
        options: The options that the user gave.
        model: The model.
        here: This machine.

    Raises:
        OptionError: The options ask for an engine, device or precision that is unavailable here.
    """
    found = choices(options, here)
    weights = 4 * sum(one.numel() for one in model.classifier.parameters())
    if options.precision == "int8" or here.memory > _QUANTIZING + 6 * weights:
        return found
    return [one for one in found if one.precision != "int8"]


def recall_rates(
    model: Model, found: list[EngineChoice], here: hardware.Machine, options: ModelOptions
) -> dict[str, float] | None:
    """Return {choice_key: tokens/s} as measured earlier with the same model, machine and options; None if unknown.

    Args:
        model: The model.
        found: The choices.
        here: This machine.
        options: Used for maximum length, token budget and calibration.
    """
    saved = artifact_cache.load(model, _name(found, options), _made_from(model, found, here, options))
    return saved and {choice_key(choice): float(saved[choice_key(choice)]) for choice in found}


def start_engine(
    choice: EngineChoice,
    model: Model,
    options: ModelOptions,
    threads: int | None = None,
    note: Callable[[str], None] = lambda text: None,
    calibration_texts: Callable[[], list[str]] = sample_texts,
) -> Engine:
    """Start the engine of a choice.

    Args:
        choice: Engine, device and precision.
        model: The model.
        options: Used for the maximum length.
        threads: Number of threads of the engine; None uses one thread per core.
        note: callback(line), called with a note before each slow step.
        calibration_texts: callback() that returns the texts for the calibration of int8.

    Raises:
        OptionError: int8 changes too many labels.
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


def _rate(
    choice: EngineChoice,
    model: Model,
    options: ModelOptions,
    threads: int | None,
    note: Callable[[str], None],
    calibration_texts: Callable[[], list[str]],
) -> float:
    """Return the rate of a choice in tokens/s; 0 if the choice cannot be used."""
    try:
        return _engine_rate(start_engine(choice, model, options, threads, note, calibration_texts), model, options)
    except (OptionError, RuntimeError):  # int8 changes too many labels, or the installed packages lack it
        return 0.0


def _engine_rate(engine: Engine, model: Model, options: ModelOptions) -> float:
    """Return the rate of an engine on the sample texts in tokens/s."""
    encoded = model.encode_consecutive(sample_texts() * _TIMES, options.max_length)
    budget = options.batch_tokens or BATCH_TOKENS[engine.choice.device]
    return tokens_per_second(engine, encoded, budget, _SECONDS)


def choice_key(choice: EngineChoice) -> str:
    """Return the key of a choice in the dict of rates."""
    return f"{choice.engine} in {choice.precision}"


def _name(found: list[EngineChoice], options: ModelOptions) -> str:
    """Return the name of the cache entry with the rates."""
    one = f"rate-{found[0].engine}-{found[0].precision}" if len(found) == 1 else "fastest"
    return f"{one}-{options.max_length}"


def _made_from(
    model: Model, found: list[EngineChoice], here: hardware.Machine, options: ModelOptions
) -> dict[str, Any]:
    """Return the values that determine the rates and the validity of int8, for the cache entry."""
    installed = versions.installed_versions()
    return {
        "shape": asdict(model.shape),
        "choices": [choice_key(choice) for choice in found],
        "options": [options.max_length, options.batch_tokens, options.calibration],
        "processor": here.processor,
        "cores": here.cores,
        "versions": {package: installed[package] for package in ("torch", "openvino") if package in installed},
    }
