"""Predicts the labels of texts, and returns logits, probabilities or metrics."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from emojob.pipeline.inference.batching import pack, token_batches
from emojob.pipeline.inference.scorer import Scorer
from emojob.pipeline.models.bert import Classifier
from emojob.pipeline.models.tokenizer import Encoded
from emojob.training.data.annotated import Annotated
from emojob.training.evaluation.calibration import softmax
from emojob.training.evaluation.metrics import Evaluation, evaluate

#: callback(done, total): number of scored texts, and total number of texts. Each text is counted once per model.
OnScored = Callable[[int, int], None]

#: Number of texts between two calls of `on_scored`.
_TEXTS_AT_A_TIME = 4096


def predict_logits(
    classifier: Classifier,
    encoded: Encoded,
    rows: NDArray[np.int64] | None = None,
    batch_tokens: int = 8192,
    bf16: bool = False,
) -> NDArray[np.float32]:
    """Return the logits of encoded texts, computed without dropout on the device of the classifier.

    Args:
        classifier: The model.
        encoded: Token ids of the texts.
        rows: int64 row numbers of the texts to predict, in this order. None: predict all texts.
        batch_tokens: Maximum number of tokens in a batch; a longer text gets a separate batch.
        bf16: Whether to multiply in bfloat16, which is faster but less precise. Use False for reported metrics.

    Returns:
        float32 [rows, labels].
    """
    device = classifier.head.weight.device
    rows = np.arange(len(encoded)) if rows is None else rows
    logits = np.zeros((len(rows), classifier.head.out_features), np.float32)
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for members in token_batches(encoded.lengths[rows], batch_tokens):
            batch = pack(encoded, rows[members], batch_tokens)
            ids, positions = (torch.from_numpy(array).to(device) for array in (batch.ids, batch.positions))
            segments = None if batch.segments is None else torch.from_numpy(batch.segments).to(device)
            hidden = classifier.encoder.packed(ids, positions, batch.groups, segments)
            starts = itertools.accumulate((count * length for count, length in batch.groups), initial=0)
            summaries = [
                classifier.summary(hidden[start : start + count * length].view(count, length, -1))
                for start, (count, length) in zip(starts, batch.groups, strict=False)
            ]
            pooled = torch.tanh(classifier.pooler(torch.cat(summaries)))
            logits[members] = classifier.head(pooled).float().cpu().numpy()
    return logits


def evaluate_classifier(
    classifier: Classifier,
    encoded: Encoded,
    labels: NDArray[np.int64],
    names: Sequence[str],
    rows: NDArray[np.int64] | None = None,
    temperature: float = 1.0,
) -> Evaluation:
    """Return the metrics of a classifier on labelled texts.

    Args:
        classifier: The model.
        encoded: Token ids of the texts.
        labels: int64 [rows], label ids of the texts to predict; texts with label -1 are ignored.
        names: Names of the labels, in id order.
        rows: int64 row numbers of the texts to predict. None: predict all texts.
        temperature: Number by which the logits are divided before the softmax.

    Raises:
        ValueError: No text has a label.
    """
    return evaluate(softmax(predict_logits(classifier, encoded, rows), temperature), labels, names)


def score_annotated(scorers: Sequence[Scorer], annotated: Annotated, on_scored: OnScored) -> NDArray[np.float32]:
    """Return the probabilities that each model predicts for annotated texts.

    Args:
        scorers: The models. All models must have the same labels, in any order.
        annotated: The texts. A model with the context `previous` also reads the previous utterance of each text.
        on_scored: callback(done, total), called after each chunk of texts.

    Returns:
        float32 [scorers, texts, labels]. The labels are in the order of the first model. A text without tokens has
        NaN values.
    """
    texts, names = annotated.texts, scorers[0].model.labels
    probabilities = np.empty((len(scorers), len(texts), len(names)), np.float32)
    for number, scorer in enumerate(scorers):
        order = [scorer.model.labels.index(name) for name in names]
        in_pairs = scorer.model.context == "previous"
        for start in range(0, len(texts), _TEXTS_AT_A_TIME):
            rows = slice(start, start + _TEXTS_AT_A_TIME)
            scored = scorer.score(texts[rows], annotated.previous[rows] if in_pairs else None)
            probabilities[number, rows] = scored.probabilities[:, order]
            on_scored(number * len(texts) + min(start + _TEXTS_AT_A_TIME, len(texts)), len(scorers) * len(texts))
    return probabilities
