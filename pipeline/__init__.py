"""Labels datasets: reads the input, runs the model, writes the labelled archive, and makes reports from the archive.

Each subpackage is called a room. The section [tool.importlinter] in pyproject.toml defines which room may import which.
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
    "report",
    "running",
    "storage",
    "system",
    "warehouse",
]

# No telemetry. OpenVINO and NNCF report each run to an analytics service if they can import openvino_telemetry. The
# first line below makes this import fail. The second line turns off the telemetry of the Hugging Face hub.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
