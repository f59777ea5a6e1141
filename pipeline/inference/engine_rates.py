"""Measures the rate (tokens/s) of each candidate engine, and saves the rates in the model folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.inference import artifact_cache
from emojob.pipeline.inference.engines.engine import BATCH_TOKENS, Engine, EngineChoice
from emojob.pipeline.inference.engines.start import start_engine
from emojob.pipeline.inference.throughput import tokens_per_second
from emojob.pipeline.models.model import Model
from emojob.pipeline.system import hardware, versions
from emojob.schemas.errors import OptionError
from emojob.schemas.options import ModelOptions

_SECONDS = 2.0  # time limit for measuring one engine
_TIMES = 8  # maximum number of times that each sample text is labelled


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


def save_rates(
    model: Model, found: list[EngineChoice], here: hardware.Machine, options: ModelOptions, rates: dict[str, float]
) -> None:
    """Save measured rates for `recall_rates`.

    Args:
        model: The model.
        found: The candidates.
        here: This machine.
        options: The options that `recall_rates` compares.
        rates: {choice_key(choice): tokens/s}.
    """
    artifact_cache.save(model, _name(found, options), _made_from(model, found, here, options), rates, {})


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
        return engine_rate(start_engine(choice, model, options, threads, note, calibration_texts), model, options)
    except (OptionError, RuntimeError):  # int8 changes too many labels, or the installed packages do not support it
        return 0.0


def engine_rate(engine: Engine, model: Model, options: ModelOptions) -> float:
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
