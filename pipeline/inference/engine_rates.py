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

_SECONDS = 2.0  # time limit in seconds for measuring each engine
_TIMES = 8  # maximum number of passes over the sample texts


def measure_rates(
    model: Model,
    found: list[EngineChoice],
    options: ModelOptions,
    threads: int | None,
    note: Callable[[str], None],
    calibration_texts: Callable[[], list[str]] = sample_texts,
) -> dict[str, float]:
    """Measure the rate of each candidate engine.

    Args:
        model: The model.
        found: The candidate engines.
        options: Options with the maximum length and the token budget.
        threads: Number of threads of the engine. None: one thread per core.
        note: callback(message), called before each slow step.
        calibration_texts: callback() that returns the texts for int8 calibration.

    Returns:
        {choice_key(choice): tokens/s}. The rate of an engine that cannot be used is 0.
    """
    return {choice_key(choice): _rate(choice, model, options, threads, note, calibration_texts) for choice in found}


def recall_rates(
    model: Model, found: list[EngineChoice], here: hardware.Machine, options: ModelOptions
) -> dict[str, float] | None:
    """Return {choice_key(choice): tokens/s} from an earlier measurement; None if no rates are saved.

    Saved rates are used only if the model, the candidates, the machine and the options are unchanged.

    Args:
        model: The model.
        found: The candidate engines.
        here: This machine.
        options: Options with the maximum length, the token budget and the calibration.
    """
    saved = artifact_cache.load(model, _name(found, options), _made_from(model, found, here, options))
    return saved and {choice_key(choice): float(saved[choice_key(choice)]) for choice in found}


def save_rates(
    model: Model, found: list[EngineChoice], here: hardware.Machine, options: ModelOptions, rates: dict[str, float]
) -> None:
    """Save measured rates for `recall_rates`.

    Args:
        model: The model.
        found: The candidate engines.
        here: This machine.
        options: Options with the maximum length, the token budget and the calibration.
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
    """Start an engine and measure its rate in tokens/s. Return 0 if the engine cannot be used."""
    try:
        return engine_rate(start_engine(choice, model, options, threads, note, calibration_texts), model, options)
    except (OptionError, RuntimeError):  # int8 changes too many labels, or the engine cannot run
        return 0.0


def engine_rate(engine: Engine, model: Model, options: ModelOptions) -> float:
    """Measure the rate of an engine on the sample texts, in tokens/s."""
    encoded = model.encode_consecutive(sample_texts() * _TIMES, options.max_length)
    budget = options.batch_tokens or BATCH_TOKENS[engine.choice.device]
    return tokens_per_second(engine, encoded, budget, _SECONDS)


def choice_key(choice: EngineChoice) -> str:
    """Return the name of an engine and its precision, for example "openvino in int8"."""
    return f"{choice.engine} in {choice.precision}"


def _name(found: list[EngineChoice], options: ModelOptions) -> str:
    """Return the name under which the rates are saved in the cache."""
    one = f"rate-{found[0].engine}-{found[0].precision}" if len(found) == 1 else "fastest"
    return f"{one}-{options.max_length}"


def _made_from(
    model: Model, found: list[EngineChoice], here: hardware.Machine, options: ModelOptions
) -> dict[str, Any]:
    """Return the values that the rates depend on."""
    installed = versions.installed_versions()
    return {
        "shape": asdict(model.shape),
        "choices": [choice_key(choice) for choice in found],
        "options": [options.max_length, options.batch_tokens, options.calibration],
        "processor": here.processor,
        "cores": here.cores,
        "versions": {package: installed[package] for package in ("torch", "openvino") if package in installed},
    }
