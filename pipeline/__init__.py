"""Labels datasets with emotions: reads the input files, runs the model, writes the labelled rows, and makes reports.

CONTRIBUTING.md calls each subpackage a room. [tool.importlinter] in pyproject.toml defines which rooms a room may
import.
"""

import os
import sys

__all__ = [
    "active_learning",
    "assets",
    "benchmark",
    "html",
    "inference",
    "models",
    "nightly",
    "output",
    "privacy",
    "reading",
    "replies",
    "report",
    "rules",
    "running",
    "storage",
    "system",
    "times",
    "warehouse",
]

# Turn off telemetry. OpenVINO and NNCF send usage data only if the module openvino_telemetry can be imported. The first
# line makes the import fail. The second line turns off the telemetry of the Hugging Face hub.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
