"""Training model with dropout, training batches and loss."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from emojob.pipeline.inference.batching import pack
from emojob.pipeline.models.bert import Classifier
from emojob.pipeline.models.tokenizer import Encoded

#: Token limit for `pack`, larger than any batch. Then `pack` pads each batch to one of a few sizes, and kernels are
#: reused.
ANY_SIZE = 1 << 30

#: Dropout probability in the encoder, as in BERT.
BODY_DROPOUT = 0.1

# After each epoch, 5% of the train texts are measured, but at least and at most so many.
_FEWEST_SAMPLED, _MOST_SAMPLED = 500, 2_000


class Learner(nn.Module):
    """Classifier with dropout in the encoder and before the last linear layer.

    Args:
        classifier: The model to train.
        dropout: Dropout probability before the last linear layer.
    """

    def __init__(self, classifier: Classifier, dropout: float) -> None:
        super().__init__()
        self.classifier = classifier
        self.dropout = dropout

    def forward(
        self, ids: Tensor, positions: Tensor, groups: list[tuple[int, int]], firsts: Tensor, segments: Tensor | None
    ) -> Tensor:
        """Return the logits [rows, labels] of a packed batch. For the arguments, see `batching.Packed`."""
        body_dropout = BODY_DROPOUT if self.training else 0.0
        hidden = self.classifier.encoder.packed(ids, positions, groups, segments, body_dropout)
        pooled = torch.tanh(self.classifier.pooler(hidden[firsts]))
        logits: Tensor = self.classifier.head(F.dropout(pooled, self.dropout, self.training))
        return logits


class RowNumbers(torch.utils.data.Dataset[int]):
    """Data set of row numbers from 0 to count - 1. `packed_batch` makes batches from row numbers."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, row: int) -> int:
        return row


class ShuffledRows(torch.utils.data.Sampler[int]):
    """Sampler that yields all rows in random order. The seed and the epoch determine the order."""

    def __init__(self, count: int, seed: int) -> None:
        self._count, self._seed, self._epoch = count, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which determines the order. The Trainer calls this method before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return iter(np.random.default_rng((self._seed, self._epoch)).permutation(self._count).tolist())


def packed_batch(encoded: Encoded, labels: NDArray[np.int64], rows: list[int]) -> dict[str, object]:
    """Return a batch: the arguments of `Learner.forward`, and `labels`. The texts are sorted by length, longest first.

    Args:
        encoded: Token ids of all texts.
        labels: int64 [texts], label ids of all texts.
        rows: Row numbers of the texts in the batch.
    """
    sorted_rows = np.asarray(rows)
    sorted_rows = sorted_rows[np.argsort(-encoded.lengths[sorted_rows], kind="stable")]
    packed = pack(encoded, sorted_rows, batch_tokens=ANY_SIZE)
    return {
        "ids": torch.from_numpy(packed.ids),
        "positions": torch.from_numpy(packed.positions),
        "groups": packed.groups,
        "firsts": torch.from_numpy(packed.firsts),
        "segments": None if packed.segments is None else torch.from_numpy(packed.segments),
        "labels": torch.from_numpy(labels[sorted_rows]),
    }


def class_weights(labels: NDArray[np.int64], classes: int, power: float) -> Tensor:
    """Return the loss weight of each class. Rare classes have larger weights.

    The weight is (1 / frequency of the class) ** `power`. Finally, the weights are scaled, so that the mean loss
    weight of a text is 1.

    Args:
        labels: int64 [texts], label ids of the train split.
        classes: Number of classes.
        power: Exponent. 0: all classes have equal weights.

    Returns:
        float32 [classes]. The weight of a class without texts is 0.
    """
    frequency = np.bincount(labels, minlength=classes) / max(1, len(labels))
    weights = np.where(frequency > 0, np.maximum(frequency, 1e-9) ** -power, 0.0)
    return torch.from_numpy((weights / max(1e-9, float((weights * frequency).sum()))).astype(np.float32))


def summed_loss(logits: Tensor, labels: Tensor, weights: Tensor, smoothing: float) -> Tensor:
    """Return the weighted cross-entropy loss, summed over the texts.

    Args:
        logits: [texts, classes].
        labels: int64 [texts], label ids.
        weights: float32 [classes], the result of `class_weights`.
        smoothing: Label smoothing. 0: no smoothing.
    """
    losses = F.cross_entropy(logits.float(), labels, label_smoothing=smoothing, reduction="none")
    return (losses * weights.to(logits.device)[labels]).sum()


def sampled_rows(texts: int, seed: int) -> NDArray[np.int64] | None:
    """Return the rows of the train split that are measured after each epoch; None: all rows."""
    wanted = max(_FEWEST_SAMPLED, min(_MOST_SAMPLED, texts // 20))
    if wanted >= texts:
        return None
    return np.sort(np.random.default_rng(seed).choice(texts, wanted, replace=False))
