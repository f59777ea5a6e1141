"""What this machine offers for scoring, which engine and precision would be used, and why."""

from __future__ import annotations

from typing import Any

from pipeline import machine, model, versions
from pipeline.engine import BATCH_TOKENS, choose
from schemas.errors import ModelError
from schemas.options import ModelOptions


def examine(options: ModelOptions) -> dict[str, Any]:
    """Look at the machine, the packages and the model, and settle what `auto` would choose.

    Raises OptionError where the options ask for what is not here.
    """
    here = machine.look()
    choice = choose(options, here)
    return {
        "processor": f"{here.processor}, {here.cores} cores for this process",
        "instructions": ", ".join(here.instructions) or "none that matter here",
        "memory": f"{here.memory / 2**30:.1f} GiB",
        "GPUs": ", ".join(here.gpus) or "none",
        "engine": f"{choice.engine} on {choice.device} in {choice.precision}",
        "why": choice.why,
        "batch_tokens": options.batch_tokens or BATCH_TOKENS[choice.device],
        "model": _model(options.model),
        "extras": ", ".join(
            f"{name} {'installed' if machine.installed(name) else 'not installed'}"
            for name in ("openvino", "ray", "s3fs")
        ),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.installed().items()),
    }


def _model(name: str | None) -> str:
    try:
        loaded = model.load(name)
    except ModelError as error:
        return f"cannot be used: {error}"
    size = f"{loaded.shape.layers} layers of {loaded.shape.hidden_size}"
    return f"{loaded.name}, {size}, labels {' '.join(loaded.labels)}, fingerprint {loaded.fingerprint[:16]}"
