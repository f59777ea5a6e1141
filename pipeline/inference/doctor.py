"""Collects the data that `emojob doctor` prints: hardware, software, and the engine for scoring."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from emojob.pipeline.inference import engine_choice, engine_rates
from emojob.pipeline.inference.engines.engine import BATCH_TOKENS, EngineChoice
from emojob.pipeline.models import model
from emojob.pipeline.system import hardware, versions
from emojob.schemas.errors import ModelError
from emojob.schemas.options import ModelOptions


def examine(options: ModelOptions) -> dict[str, Any]:
    """Return {title: value}: hardware and software of this machine, and the engine for scoring.

    Raises:
        OptionError: The options require an engine, device or precision that is unavailable on this machine.
    """
    here = hardware.detect()
    found = engine_choice.choices(options, here)
    loaded, shown = _model(options.model)
    choice = _expected_choice(
        engine_choice.candidates(options, loaded, here) if loaded else found, loaded, here, options
    )
    return {
        "processor": f"{here.processor}, {here.cores} cores for this process",
        "instructions": ", ".join(here.instructions) or "none that inference uses",
        "memory": f"{here.memory / 2**30:.1f} GiB",
        "GPUs": ", ".join(here.gpus) or "none",
        "engine": f"{choice.engine} on {choice.device} in {choice.precision}",
        "why": choice.why,
        "batch_tokens": options.batch_tokens or BATCH_TOKENS[choice.device],
        "model": shown,
        "extras": ", ".join(
            f"{name} {'installed' if hardware.is_installed(name) else 'not installed'}"
            for name in ("openvino", "nncf", "ray", "s3fs")
        ),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.installed_versions().items()),
    }


def _expected_choice(
    found: list[EngineChoice], loaded: model.Model | None, here: hardware.Machine, options: ModelOptions
) -> EngineChoice:
    """Return the engine that a run would use."""
    rates = engine_rates.recall_rates(loaded, found, here, options) if loaded and len(found) > 1 else None
    if rates:
        return engine_choice.fastest(found, rates)
    if len(found) == 1:
        return found[0]
    return replace(
        found[0], why=f"{found[0].why}; the first large job measures which engine is fastest with this model"
    )


def _model(name: str | None) -> tuple[model.Model | None, str]:
    """Return (model, description). If the model cannot be loaded, return (None, error message)."""
    try:
        loaded = model.load(name)
    except ModelError as error:
        return None, f"cannot be used: {error}"
    size = f"{loaded.shape.layers} layers of {loaded.shape.hidden_size}"
    return loaded, f"{loaded.name}, {size}, labels {' '.join(loaded.labels)}, fingerprint {loaded.fingerprint[:16]}"
