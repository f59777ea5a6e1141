"""Reading, tokenizing, inference, writing, aggregating."""

import os
import sys

# What is labelled here is nobody else's business, nor that it is: OpenVINO and NNCF tell an analytics service of each
# run unless this package of theirs cannot be imported. The Hugging Face hub is told no more than what is fetched.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
