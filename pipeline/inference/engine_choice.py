"""Selects the device, the precision and the fastest engine for a model on this machine.

For a large job, emojob measures the rate (tokens/s) of each candidate engine, and saves the rates in the model folder.
The measurement takes a few seconds. For a small job, emojob uses the saved rates. If no rates are saved, emojob uses
the first candidate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.inference import engine_rates
from emojob.pipeline.inference.engine_rates import choice_key
from emojob.pipeline.inference.engines.engine import Engine, EngineChoice
from emojob.pipeline.inference.engines.start import start_engine
from emojob.pipeline.models.model import Model
from emojob.pipeline.system import hardware
from emojob.schemas.errors import OptionError
from emojob.schemas.options import ModelOptions

#: int8 is used only if int8 is at least WORTH_IT times as fast as every other candidate, because int8 changes some
#: labels.
WORTH_IT = 1.3

_QUANTIZING = 1 << 30  # bytes of memory for quantization, in addition to six times the size of the weights


def select_engine(
    options: ModelOptions,
    model: Model,
    threads: int | None = None,
    may_measure: bool = False,
    note: Callable[[str], None] = lambda text: None,
    calibration_texts: Callable[[], list[str]] = sample_texts,
) -> Engine:
    """Select an engine for the model and start it.

    Args:
        options: The options that the user gave.
        model: The model.
        threads: Number of threads of the engine. None: one thread per core.
        may_measure: Whether to measure the speed of the candidate engines if no rates are saved.
        note: callback(message), called before each slow step.
        calibration_texts: callback() that returns the texts for int8 calibration; called only if int8 is a candidate.

    Raises:
        OptionError: The options require an engine, device or precision that is unavailable on this machine.
    """
    here = hardware.detect()
    found = candidates(options, model, here)
    if len(found) == 1:
        return _start_single(found[0], here, model, options, threads, may_measure, note, calibration_texts)
    rates = engine_rates.recall_rates(model, found, here, options)
    if rates is None and not may_measure:
        return start_engine(found[0], model, options, threads, note, calibration_texts)
    if rates is None:
        note(f"measuring which engine is fastest with {model.name}; the next run reuses the result")
        rates = engine_rates.measure_rates(model, found, options, threads, note, calibration_texts)
        engine_rates.save_rates(model, found, here, options, rates)
    best = fastest(found, rates)
    try:
        return start_engine(best, model, options, threads, note, calibration_texts)
    except (OptionError, RuntimeError):
        others = [one for one in found if one.precision != "int8"]
        if best.precision != "int8" or not others:
            raise
        # int8 failed and was not required, so use the fastest other engine
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
    """Start the only candidate engine. If its rate is known, set `choice.tokens_per_second`."""
    engine = start_engine(choice, model, options, threads, note, calibration_texts)
    rates = engine_rates.recall_rates(model, [choice], here, options)
    if rates is None and may_measure:
        rates = {choice_key(choice): engine_rates.engine_rate(engine, model, options)}
        engine_rates.save_rates(model, [choice], here, options, rates)
    if rates is not None:
        engine.choice = replace(engine.choice, tokens_per_second=rates[choice_key(choice)])
    return engine


def fastest(found: list[EngineChoice], rates: dict[str, float]) -> EngineChoice:
    """Return the candidate with the highest rate.

    An int8 candidate is chosen only if the candidate is at least `WORTH_IT` times as fast as every other candidate.

    Args:
        found: The candidate engines.
        rates: {choice_key(choice): tokens/s} of the candidates.
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
    """Return the candidate engines for a model, the preferred engine first.

    Without `--precision int8`, int8 is a candidate only if the machine has enough memory for quantization. Quantization
    needs up to 0.9 GB for the default model, and up to 2.6 GB for a model of KoBERT's size.

    Args:
        options: The options that the user gave.
        model: The model.
        here: This machine.

    Raises:
        OptionError: The options require an engine, device or precision that is unavailable on this machine.
    """
    found = choices(options, here)
    weights = 4 * sum(one.numel() for one in model.classifier.parameters())
    if options.precision == "int8" or here.memory > _QUANTIZING + 6 * weights:
        return found
    return [one for one in found if one.precision != "int8"]


def choices(options: ModelOptions, here: hardware.Machine) -> list[EngineChoice]:
    """Return the candidate engines, the preferred engine first. Only a CPU with OpenVINO has several candidates.

    Args:
        options: The options that the user gave.
        here: This machine.

    Raises:
        OptionError: The options require an engine, device or precision that is unavailable on this machine.
    """
    if options.engine == "ray":
        raise OptionError(
            "--engine ray works only for `emojob score` and `nightly`: leave out --engine, or give --engine torch"
        )
    if options.device == "cuda" and not here.gpus:
        raise OptionError("--device cuda: no GPU was found; give --device cpu or auto (`emojob doctor` shows the GPUs)")
    for_openvino = options.engine == "openvino" or options.precision == "int8"
    device = options.device if options.device != "auto" else "cuda" if here.gpus and not for_openvino else "cpu"
    precision, why = _precision(options, here, device)
    where = f"GPU {here.gpus[0]}" if device == "cuda" else "CPU, as requested" if here.gpus else "no CUDA device"
    if for_openvino:
        _check_openvino(options, device)
        engines = ["openvino"]
    elif options.engine == "auto" and device == "cpu" and precision != "fp16" and hardware.is_installed("openvino"):
        engines = ["openvino", "torch"]
    else:
        engines = ["torch"]
    found = [EngineChoice(engine, device, precision, f"{where}; {why}") for engine in engines]
    if options.precision == "auto" and "openvino" in engines and not here.has_amx and hardware.is_installed("nncf"):
        found.append(EngineChoice("openvino", device, "int8", f"{where}; int8, because the processor has no AMX"))
    return found


def _check_openvino(options: ModelOptions, device: str) -> None:
    """Raise OptionError if `--engine openvino` or `--precision int8` cannot be used."""
    asked = "--engine openvino" if options.engine == "openvino" else "--precision int8"
    if options.engine == "torch":
        raise OptionError("--precision int8 does not work with --engine torch: leave out --precision or --engine")
    if device == "cuda":
        raise OptionError(f"{asked} works only on a CPU: leave out {asked} or --device cuda")
    if options.precision == "fp16":
        raise OptionError(
            "--engine openvino has no --precision fp16: give --precision fp32, bf16 or int8, or give --engine torch"
        )
    needed = ["openvino", "nncf"] if options.precision == "int8" else ["openvino"]
    missing = [package for package in needed if not hardware.is_installed(package)]
    if missing:
        raise OptionError(f"{asked} needs {' and '.join(missing)}: run pip install 'emojob[openvino]'")


def _precision(options: ModelOptions, here: hardware.Machine, device: str) -> tuple[str, str]:
    """Return the precision, and the reason for choosing the precision."""
    if options.precision != "auto":
        return options.precision, f"{options.precision} as requested"
    if device == "cuda":
        precision = "bf16" if here.native_bf16_gpu else "fp16"
        return precision, f"{precision}, which the GPU supports natively"
    if here.fast_bf16:
        name = "AMX" if "amx_bf16" in here.instructions else "AVX512-BF16"
        return "bf16", f"bf16, because the processor has {name}"
    return "fp32", "fp32, because the processor has neither AMX nor AVX512-BF16"
