"""Computes probabilities from texts: `scorer` tokenizes texts, makes batches and runs an engine.

The memo is a cache of the probabilities of repeated texts; `memo_file` keeps the memo in a file between runs.
`engine_choice` selects the device, the precision and the fastest engine; `engine_rates` measures the engines;
`artifact_cache` saves the measured rates in the model folder. This package reads no datasets and writes no archives.
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
