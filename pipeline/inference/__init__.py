"""Texts to probabilities: `scorer` tokenizes, batches and runs an engine, and remembers repeated texts in a memo.

`engine_choice` selects the fastest engine for a model and machine. This room reads no inputs and writes no archives; it
keeps what it measured beside the model (`artifact_cache`), and a memo in the file that the user names (`memo_file`).
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
