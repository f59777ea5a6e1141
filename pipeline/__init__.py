"""The stages that data passes: reading, inference, writing, and everything made of the labelled archive.

Each room below is one stage. Which room may import which stands in pyproject.toml, under [tool.importlinter].
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

# No telemetry: OpenVINO and NNCF report each run to an analytics service unless their package for that cannot be
# imported. The Hugging Face hub only learns which files are downloaded.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
