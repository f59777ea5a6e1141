"""Computes the emotion probabilities of texts; reads no datasets and writes no labelled rows.

`scorer` tokenizes texts, makes batches and runs an engine, and `memo` caches the probabilities of repeated texts.
`engine_choice` selects the device, the precision and the engine; `engine_rates` measures the speed of each engine.
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
