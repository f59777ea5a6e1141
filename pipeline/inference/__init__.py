"""Texts to probabilities: tokenize, cut into batches, run the engine, remember what was inferred.

`scorer.py` does all of it in one process. This room knows no files of a dataset or archive.
"""

__all__ = [
    "artifact_cache",
    "batching",
    "doctor",
    "engine_choice",
    "engines",
    "memo",
    "memo_file",
    "scorer",
    "scoring_model",
    "streaming",
    "throughput",
]
