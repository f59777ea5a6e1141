"""Computes the emotion probabilities of texts.

- `scorer` tokenizes texts, makes batches and runs an engine.
- `memo` caches the probabilities of repeated texts. `memo_file` saves this cache between runs.
- `engine_choice` selects the device, the precision and the fastest engine.
- `engine_rates` measures the engines. `artifact_cache` saves the measured rates.

This package does not read datasets or write labelled rows.
"""

__all__ = [
    "artifact_cache",
    "batching",
    "doctor",
    "engine_choice",
    "engine_rates",
    "engines",
    "memo",
    "memo_file",
    "scorer",
    "scoring_model",
    "streaming",
    "throughput",
]
