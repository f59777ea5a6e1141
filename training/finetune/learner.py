"""The model while it learns: dropout, batches, parameter groups, learning-rate schedule, loss."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from emojob.pipeline.inference.batching import pack
from emojob.pipeline.models.bert import Classifier
from emojob.pipeline.models.tokenizer import Encoded
from emojob.training.finetune.recipe import TrainingRecipe

#: No limit on the padding of a batch: kernels that were set up for an earlier batch size are used again.
ANY_SIZE = 1 << 30

#: Dropout within the encoder, as in BERT's pre-training.
BODY_DROPOUT = 0.1


class Learner(nn.Module):
    """A classifier with dropout in the encoder and before the linear layer, both only in training mode.

    Args:
        classifier: The model that learns.
        dropout: Probability of dropping a component of the pooled output.
    """

    def __init__(self, classifier: Classifier, dropout: float) -> None:
        super().__init__()
        self.classifier = classifier
        self.dropout = dropout

    def forward(
        self, ids: Tensor, positions: Tensor, groups: list[tuple[int, int]], firsts: Tensor, segments: Tensor | None
    ) -> Tensor:
        """Return the logits [rows, labels] of a packed batch (see pipeline.inference.batching.Packed)."""
        body_dropout = BODY_DROPOUT if self.training else 0.0
        hidden = self.classifier.encoder.packed(ids, positions, groups, segments, body_dropout)
        pooled = torch.tanh(self.classifier.pooler(hidden[firsts]))
        logits: Tensor = self.classifier.head(F.dropout(pooled, self.dropout, self.training))
        return logits


class RowNumbers(torch.utils.data.Dataset[int]):
    """Row numbers 0..count-1; `packed_batch` looks up the texts."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, row: int) -> int:
        return row


class ShuffledRows(torch.utils.data.Sampler[int]):
    """Each row once per epoch, in an order that depends only on the seed and the epoch."""

    def __init__(self, count: int, seed: int) -> None:
        self._count, self._seed, self._epoch = count, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Select the epoch; the Trainer calls it before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return iter(np.random.default_rng((self._seed, self._epoch)).permutation(self._count).tolist())


def packed_batch(encoded: Encoded, labels: NDArray[np.int64], rows: list[int]) -> dict[str, object]:
    """Return the arguments of `Learner.forward` and the labels of some rows, longest text first.

    Args:
        encoded: Token ids of all texts.
        labels: int64 [texts], label ids of all texts.
        rows: Row numbers of the batch.
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


def parameter_groups(learner: Learner, recipe: TrainingRecipe) -> list[dict[str, object]]:
    """Return AdamW's parameter groups: no decay for biases and LayerNorm, a lower learning rate for lower layers.

    The head and the pooler learn at the full rate, the topmost layer at `layer_decay` times the rate, the layer below
    at `layer_decay`² times the rate, and so on down to the embeddings.
    """
    layers = len(learner.classifier.encoder.layers)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in learner.named_parameters():
        rate = recipe.learning_rate * recipe.layer_decay ** _depth_below_head(name, layers)
        is_decayed = not (name.endswith("bias") or "norm" in name)
        groups.setdefault((rate, recipe.weight_decay if is_decayed else 0.0), []).append(parameter)
    return [{"params": parameters, "lr": rate, "weight_decay": decay} for (rate, decay), parameters in groups.items()]


def _depth_below_head(name: str, layers: int) -> int:
    """Return the depth of a parameter's layer: 0 for the head and the pooler, layers + 1 for the embeddings."""
    layer = re.search(r"encoder\.layers\.(\d+)\.", name)
    if layer:
        return layers - int(layer[1])
    return layers + 1 if "encoder." in name else 0


def learning_rate_factor(step: int, steps: int, recipe: TrainingRecipe) -> float:
    """Return the fraction of the full learning rate at a step: linear warm-up, then the recipe's schedule.

    Args:
        step: Step number, from 0.
        steps: Steps of the whole training.
        recipe: Gives `warmup` and `schedule`.
    """
    warmup = int(recipe.warmup * steps)
    if step < warmup:
        return step / max(1, warmup)
    done = (step - warmup) / max(1, steps - warmup)
    if recipe.schedule == "constant":
        return 1.0
    return max(0.0, 1 - done) if recipe.schedule == "linear" else max(0.0, 0.5 * (1 + math.cos(math.pi * done)))


def class_weights(labels: NDArray[np.int64], classes: int, power: float) -> Tensor:
    """Return the loss weight of each class: (1 / its frequency) ** power, scaled so that texts weigh 1 on average.

    Args:
        labels: int64 [texts], label ids of the train part.
        classes: Number of classes.
        power: 0 for equal weights.

    Returns:
        float32 [classes]; 0 for a class without texts.
    """
    frequency = np.bincount(labels, minlength=classes) / max(1, len(labels))
    weights = np.where(frequency > 0, np.maximum(frequency, 1e-9) ** -power, 0.0)
    return torch.from_numpy((weights / max(1e-9, float((weights * frequency).sum()))).astype(np.float32))


def summed_loss(logits: Tensor, labels: Tensor, weights: Tensor, smoothing: float) -> Tensor:
    """Return the sum of the texts' weighted cross-entropy losses, a scalar.

    Args:
        logits: [texts, classes].
        labels: int64 [texts].
        weights: float32 [classes], as `class_weights` returns them.
        smoothing: Label smoothing, 0 for none.
    """
    losses = F.cross_entropy(logits.float(), labels, label_smoothing=smoothing, reduction="none")
    return (losses * weights.to(logits.device)[labels]).sum()
