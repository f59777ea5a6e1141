"""Selects the engine: of several candidates, the engine that is fastest for this model on this machine.

A large job measures the rate (tokens/s) of each candidate once, which takes a few seconds, and saves the rates in the
model folder. A small job does not measure. It uses the rates that were saved for the same options. If no rates are
saved, it uses the first candidate.
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

#: int8 is selected only if it is at least this many times as fast as other engines, because int8 changes some labels.
WORTH_IT = 1.3

_QUANTIZING = 1 << 30  # bytes; quantization needs this much memory and six times the size of the weights
_SECONDS = 2.0  # time limit for measuring one engine
_TIMES = 8  # maximum number of times that each sample text is labelled


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
        may_measure: Whether to measure the rates of the candidates if no rates are saved.
        note: callback(line), called with a note before each slow step.
        calibration_texts: callback() that returns the texts for the calibration of int8; called only if int8 is a
            candidate.

    Raises:
        OptionError: The options require an engine, device or precision that is unavailable here.
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
        # int8 failed, but the options do not require int8
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
    """Start the only candidate and set its rate, if known. A job chooses its chunk size from the rate."""
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
    """Measure the rate of each choice.

    Args:
        model: The model.
        found: The choices to measure.
        options: Only the maximum length and the token budget are used.
        threads: Number of threads of the engine; None uses one thread per core.
        note: callback(line), called with a note before each slow step.
        calibration_texts: callback() that returns the texts for the calibration of int8.

    Returns:
        {choice_key(choice): tokens/s}; 0 if the choice cannot be used.
    """
    return {choice_key(choice): _rate(choice, model, options, threads, note, calibration_texts) for choice in found}


def fastest(found: list[EngineChoice], rates: dict[str, float]) -> EngineChoice:
    """Return the choice with the highest rate; int8 must be at least `WORTH_IT` times as fast as the other choices.

    Args:
        found: The candidates.
        rates: {choice_key(choice): tokens/s} for each candidate.
    """
    worth = {one: rates[choice_key(one)] / (WORTH_IT if one.precision == "int8" else 1) for one in found}
    best = max(found, key=lambda one: worth[one])
    others = ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items() if name != choice_key(best) and rate)
    others = others or "none"
    rate = rates[choice_key(best)]
    return replace(
        best, why=f"{best.why}; fastest with this model: {rate:,.0f} tokens/s; others: {others}", tokens_per_second=rate
    )


def candidates(options: ModelOptions, model: Model, here: hardware.Machine) -> list[EngineChoice]:
    """Return the engines that can run a model, the preferred engine first.

    If the options do not require int8, int8 is a candidate only if the memory is large enough for quantization. The
    measured peak memory of quantization is 0.9 GB for the default model, and 2.6 GB for a model of KoBERT's size.

    Args:
        options: The options that the user gave.
        model: The model.
        here: This machine.

    Raises:
        OptionError: The options require an engine, device or precision that is unavailable here.
    """
    found = choices(options, here)
    weights = 4 * sum(one.numel() for one in model.classifier.parameters())
    if options.precision == "int8" or here.memory > _QUANTIZING + 6 * weights:
        return found
    return [one for one in found if one.precision != "int8"]


def recall_rates(
    model: Model, found: list[EngineChoice], here: hardware.Machine, options: ModelOptions
) -> dict[str, float] | None:
    """Return {choice_key(choice): tokens/s} from an earlier measurement; None if no rates are saved.

    Saved rates are used only if they were measured with the same model, candidates, machine and options.

    Args:
        model: The model.
        found: The candidates.
        here: This machine.
        options: Only the maximum length, the token budget and the calibration are compared.
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
        options: Only the maximum length is used.
        threads: Number of threads of the engine; None uses one thread per core.
        note: callback(line), called with a note before each slow step.
        calibration_texts: callback() that returns the texts for the calibration of int8.

    Raises:
        OptionError: int8 changes the labels of too many calibration texts.
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
    """Start a choice and measure its rate in tokens/s; return 0 if the choice cannot be used."""
    try:
        return _engine_rate(start_engine(choice, model, options, threads, note, calibration_texts), model, options)
    except (OptionError, RuntimeError):  # int8 changes too many labels, or the installed packages do not support it
        return 0.0


def _engine_rate(engine: Engine, model: Model, options: ModelOptions) -> float:
    """Measure the rate of an engine on the sample texts, in tokens/s."""
    encoded = model.encode_consecutive(sample_texts() * _TIMES, options.max_length)
    budget = options.batch_tokens or BATCH_TOKENS[engine.choice.device]
    return tokens_per_second(engine, encoded, budget, _SECONDS)


def choice_key(choice: EngineChoice) -> str:
    """Return the key of a choice in {key: rate}, for example "openvino in int8"."""
    return f"{choice.engine} in {choice.precision}"


def _name(found: list[EngineChoice], options: ModelOptions) -> str:
    """Return the name of the cache entry that contains the rates."""
    one = f"rate-{found[0].engine}-{found[0].precision}" if len(found) == 1 else "fastest"
    return f"{one}-{options.max_length}"


def _made_from(
    model: Model, found: list[EngineChoice], here: hardware.Machine, options: ModelOptions
) -> dict[str, Any]:
    """Return everything that the rates depend on. Saved rates are used only if all of these values are equal."""
    installed = versions.installed_versions()
    return {
        "shape": asdict(model.shape),
        "choices": [choice_key(choice) for choice in found],
        "options": [options.max_length, options.batch_tokens, options.calibration],
        "processor": here.processor,
        "cores": here.cores,
        "versions": {package: installed[package] for package in ("torch", "openvino") if package in installed},
    }
