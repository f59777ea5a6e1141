"""Measures the rate of an engine in tokens/s."""

from __future__ import annotations

import time

import numpy as np

from emojob.pipeline.inference.batching import pack, token_batches
from emojob.pipeline.inference.engines.engine import Engine
from emojob.pipeline.models.tokenizer import Encoded

_WARM = 0.2  # the warm-up takes this share of the time limit, and is not measured


def tokens_per_second(engine: Engine, encoded: Encoded, batch_tokens: int, seconds: float) -> float:
    """Measure the rate of an engine in tokens/s.

    Args:
        engine: The engine.
        encoded: The encoded texts.
        batch_tokens: Maximum number of tokens of a batch.
        seconds: Time limit in seconds. After the time limit, no more batches are run.
    """
    rows = np.flatnonzero(encoded.lengths > 2)
    batches = [rows[one] for one in token_batches(encoded.lengths[rows], batch_tokens, engine.layout)]
    # shuffled, so that the batches within the time limit are representative
    batches = [batches[i] for i in np.random.default_rng(0).permutation(len(batches))]
    packed = (pack(encoded, batch, batch_tokens, engine.layout) for batch in batches)
    started = now = time.perf_counter()
    tokens, warm = 0, (started, 0)  # warm: (time, number of tokens) at the end of the warm-up
    for batch, _ in zip(batches, engine.run(packed), strict=False):
        if warm[0] == started and now - started > _WARM * seconds:
            warm = now, tokens
        tokens += int(encoded.lengths[batch].sum())
        now = time.perf_counter()
        if now - started > seconds:
            break
    since, before = warm
    return (tokens - before) / max(now - since, 1e-9)
