"""Which engine a model is run on: where several come into question, the fastest with this model on this machine.

Measured once, which takes some seconds, and kept beside the model. Small jobs do not wait for that: they take what was
measured before with the same options, or else the first that comes into question.
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

#: How many times as fast int8 must be to be worth the labels that it changes.
WORTH_IT = 1.3

_QUANTISING = 1 << 30  # bytes that it takes beside six times the weights
_SECONDS = 2.0  # of each engine that is measured
_TIMES = 8  # that the sample's utterances are gone through, at most


def select_engine(
    options: ModelOptions,
    model: Model,
    threads: int | None = None,
    patient: bool = False,
    note: Callable[[str], None] = lambda text: None,
    calibration_texts: Callable[[], list[str]] = sample_texts,
) -> Engine:
    """Start the engine that suits the options, the machine and the model.

    patient: measure where nothing has been measured yet. note: gets a line before what takes long. calibration_texts:
    returns the texts that int8 is calibrated on, called only where int8 is a candidate. Raises OptionError where what
    was asked for is not to be had.
    """
    here = hardware.detect()
    found = candidates(options, model, here)
    if len(found) == 1:
        return _alone(found[0], here, model, options, threads, patient, note, calibration_texts)
    rates = recall(model, found, here, options)
    if rates is None and not patient:
        return start(found[0], model, options, threads, note, calibration_texts)
    if rates is None:
        note(f"measuring which engine is fastest with {model.name}; the next run knows it")
        rates = measure(model, found, options, threads, note, calibration_texts)
        artifact_cache.save(model, _name(found, options), _made_from(model, found, here, options), rates, {})
    best = fastest(found, rates)
    try:
        return start(best, model, options, threads, note, calibration_texts)
    except (OptionError, RuntimeError):
        others = [one for one in found if one.precision != "int8"]
        if best.precision != "int8" or not others:
            raise
        return start(fastest(others, rates), model, options, threads, note, calibration_texts)  # nobody asked for int8


def _alone(
    choice: EngineChoice,
    here: hardware.Machine,
    model: Model,
    options: ModelOptions,
    threads: int | None,
    patient: bool,
    note: Callable[[str], None],
    calibration_texts: Callable[[], list[str]],
) -> Engine:
    """The engine of the only choice, and its rate, by which a job's chunks are cut to size."""
    engine = start(choice, model, options, threads, note, calibration_texts)
    rates = recall(model, [choice], here, options)
    if rates is None and patient:
        rates = {choice_key(choice): _speed(engine, model, options)}
        name, made_from = _name([choice], options), _made_from(model, [choice], here, options)
        artifact_cache.save(model, name, made_from, rates, {})
    if rates is not None:
        engine.choice = replace(engine.choice, tokens_per_second=rates[choice_key(choice)])
    return engine


def measure(
    model: Model,
    found: list[EngineChoice],
    options: ModelOptions,
    threads: int | None,
    note: Callable[[str], None],
    calibration_texts: Callable[[], list[str]] = sample_texts,
) -> dict[str, float]:
    """Tokens/s of each choice with this model; 0 where it cannot be used."""
    return {choice_key(choice): _rate(choice, model, options, threads, note, calibration_texts) for choice in found}


def fastest(found: list[EngineChoice], rates: dict[str, float]) -> EngineChoice:
    """Of some choices that with the highest rate, tokens/s; int8 only where it is much faster than the others."""
    worth = {one: rates[choice_key(one)] / (WORTH_IT if one.precision == "int8" else 1) for one in found}
    best = max(found, key=lambda one: worth[one])
    others = ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items() if name != choice_key(best) and rate)
    rate = rates[choice_key(best)]
    return replace(
        best, why=f"{best.why}; fastest with this model: {rate:,.0f} tokens/s, {others}", tokens_per_second=rate
    )


def candidates(options: ModelOptions, model: Model, here: hardware.Machine) -> list[EngineChoice]:
    """The choices for a model; int8 unasked only where there is memory enough to quantise it.

    Measured, that takes 0.9 GB for the default model and 2.6 for one of KoBERT's size.
    """
    found = choices(options, here)
    weights = 4 * sum(one.numel() for one in model.classifier.parameters())
    if options.precision == "int8" or here.memory > _QUANTISING + 6 * weights:
        return found
    return [one for one in found if one.precision != "int8"]


def recall(
    model: Model, found: list[EngineChoice], here: hardware.Machine, options: ModelOptions
) -> dict[str, float] | None:
    """The rates that were measured for these choices, model, machine and options before, tokens/s."""
    kept = artifact_cache.load(model, _name(found, options), _made_from(model, found, here, options))
    return kept and {choice_key(choice): float(kept[choice_key(choice)]) for choice in found}


def start(
    choice: EngineChoice,
    model: Model,
    options: ModelOptions,
    threads: int | None = None,
    note: Callable[[str], None] = lambda text: None,
    calibration_texts: Callable[[], list[str]] = sample_texts,
) -> Engine:
    """The engine of a choice. Raises OptionError where int8 changes too many labels."""
    if choice.engine == "torch":
        from emojob.pipeline.inference.engines.torch_engine import TorchEngine

        return TorchEngine(model, choice, threads)
    from emojob.pipeline.inference.engines.openvino_engine import OpenVinoEngine

    if choice.precision != "int8":
        return OpenVinoEngine(model, choice, threads)
    from emojob.pipeline.inference.engines.quantization import hash_texts, quantised

    texts = list(dict.fromkeys(calibration_texts()))
    choice = replace(choice, calibrated_on=hash_texts(texts))
    return OpenVinoEngine(model, choice, threads, quantised(model, texts, options.max_length, threads, note))


def _rate(
    choice: EngineChoice,
    model: Model,
    options: ModelOptions,
    threads: int | None,
    note: Callable[[str], None],
    calibration_texts: Callable[[], list[str]],
) -> float:
    """Tokens/s of a choice's engine; 0 where it cannot be used."""
    try:
        return _speed(start(choice, model, options, threads, note, calibration_texts), model, options)
    except (OptionError, RuntimeError):  # int8 changes too many labels, or what is installed cannot do it
        return 0.0


def _speed(engine: Engine, model: Model, options: ModelOptions) -> float:
    """Tokens/s of an engine on the sample's utterances."""
    encoded = model.encode_consecutive(sample_texts() * _TIMES, options.max_length)
    budget = options.batch_tokens or BATCH_TOKENS[engine.choice.device]
    return tokens_per_second(engine, encoded, budget, _SECONDS)


def choice_key(choice: EngineChoice) -> str:
    """What a choice is called where its rate stands."""
    return f"{choice.engine} in {choice.precision}"


def _name(found: list[EngineChoice], options: ModelOptions) -> str:
    """What rates are kept under."""
    one = f"rate-{found[0].engine}-{found[0].precision}" if len(found) == 1 else "fastest"
    return f"{one}-{options.max_length}"


def _made_from(
    model: Model, found: list[EngineChoice], here: hardware.Machine, options: ModelOptions
) -> dict[str, Any]:
    """What the rates depend on, and whether int8 may be used."""
    installed = versions.installed_versions()
    return {
        "shape": asdict(model.shape),
        "choices": [choice_key(choice) for choice in found],
        "options": [options.max_length, options.batch_tokens, options.calibration],
        "processor": here.processor,
        "cores": here.cores,
        "versions": {package: installed[package] for package in ("torch", "openvino") if package in installed},
    }
