"""What this machine offers for scoring, which engine and precision would be used, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from emojob.pipeline.inference import engine_choice
from emojob.pipeline.inference.engines.engine import BATCH_TOKENS, EngineChoice, choices
from emojob.pipeline.models import model
from emojob.pipeline.system import hardware, versions
from emojob.schemas.errors import ModelError
from emojob.schemas.options import ModelOptions


def examine(options: ModelOptions) -> dict[str, Any]:
    """Look at the machine, the packages and the model, and settle what `auto` would choose.

    Raises OptionError where the options ask for what is not here.
    """
    here = hardware.detect()
    found = choices(options, here)
    loaded, shown = _model(options.model)
    choice = _settled(engine_choice.candidates(options, loaded, here) if loaded else found, loaded, here, options)
    return {
        "processor": f"{here.processor}, {here.cores} cores for this process",
        "instructions": ", ".join(here.instructions) or "none that matter here",
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


def _settled(
    found: list[EngineChoice], loaded: model.Model | None, here: hardware.Machine, options: ModelOptions
) -> EngineChoice:
    """What a run would use: what was measured before, or else what comes first."""
    rates = engine_choice.recall(loaded, found, here, options) if loaded and len(found) > 1 else None
    if rates:
        return engine_choice.fastest(found, rates)
    if len(found) == 1:
        return found[0]
    return replace(
        found[0], why=f"{found[0].why}; what is fastest with this model is measured when it first scores an archive"
    )


def _model(name: str | None) -> tuple[model.Model | None, str]:
    """The model, and how it is shown."""
    try:
        loaded = model.load(name)
    except ModelError as error:
        return None, f"cannot be used: {error}"
    size = f"{loaded.shape.layers} layers of {loaded.shape.hidden_size}"
    return loaded, f"{loaded.name}, {size}, labels {' '.join(loaded.labels)}, fingerprint {loaded.fingerprint[:16]}"
