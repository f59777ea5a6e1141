"""How fast an engine is on texts as they come."""

from __future__ import annotations

import time

import numpy as np

from emojob.pipeline.inference.batching import pack, token_batches
from emojob.pipeline.inference.engines.engine import Engine
from emojob.pipeline.models.tokenizer import Encoded

_WARM = 0.2  # of the seconds are left out at first, where there is more: kernels are made, caches filled


def tokens_per_second(engine: Engine, encoded: Encoded, batch_tokens: int, seconds: float) -> float:
    """Tokens/s of an engine on the batches that a job makes of texts, as many of them as some seconds allow."""
    rows = np.flatnonzero(encoded.lengths > 2)
    batches = [rows[one] for one in token_batches(encoded.lengths[rows], batch_tokens, engine.layout)]
    batches = [batches[i] for i in np.random.default_rng(0).permutation(len(batches))]  # a part is to stand for all
    packed = (pack(encoded, batch, batch_tokens, engine.layout) for batch in batches)
    begun = now = time.perf_counter()
    tokens, warm = 0, (begun, 0)  # when the warm part ended, and the tokens till then
    for batch, _ in zip(batches, engine.run(packed), strict=False):
        if warm[0] == begun and now - begun > _WARM * seconds:
            warm = now, tokens
        tokens += int(encoded.lengths[batch].sum())
        now = time.perf_counter()
        if now - begun > seconds:
            break
    since, before = warm
    return (tokens - before) / max(now - since, 1e-9)
