"""A classifier while it learns: dropout, the parameter groups, the loss."""

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

#: No limit on what a batch is filled up to: a step of a size that was there before finds its kernels ready.
ANY_SIZE = 1 << 30

BODY_DROPOUT = 0.1  # within the encoder, as BERT was trained with


class Trainee(nn.Module):
    """A classifier with dropout: within the encoder, and before the linear layer."""

    def __init__(self, classifier: Classifier, dropout: float) -> None:
        super().__init__()
        self.classifier = classifier
        self.dropout = dropout

    def forward(
        self, ids: Tensor, positions: Tensor, groups: list[tuple[int, int]], firsts: Tensor, segments: Tensor | None
    ) -> Tensor:
        """A packed batch (see pipeline.inference.batching.Packed) -> logits [rows, labels]."""
        within = BODY_DROPOUT if self.training else 0.0
        hidden = self.classifier.encoder.packed(ids, positions, groups, segments, within)
        pooled = torch.tanh(self.classifier.pooler(hidden[firsts]))
        logits: Tensor = self.classifier.head(F.dropout(pooled, self.dropout, self.training))
        return logits


class Rows(torch.utils.data.Dataset[int]):
    """The numbers of the texts: what they hold is looked up when a batch is put together."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, row: int) -> int:
        return row


class Shuffled(torch.utils.data.Sampler[int]):
    """Every row once an epoch, in an order that depends on the seed and the epoch alone."""

    def __init__(self, number: int, seed: int) -> None:
        self._number, self._seed, self._epoch = number, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._number

    def __iter__(self) -> Iterator[int]:
        return iter(np.random.default_rng((self._seed, self._epoch)).permutation(self._number).tolist())


def packed_batch(encoded: Encoded, labels: NDArray[np.int64], rows: list[int]) -> dict[str, object]:
    """What `Trainee.forward` takes, and the labels: int64 [rows], in the same order."""
    numbers = np.asarray(rows)
    numbers = numbers[np.argsort(-encoded.lengths[numbers], kind="stable")]
    packed = pack(encoded, numbers, batch_tokens=ANY_SIZE)
    segments = None if packed.segments is None else torch.from_numpy(packed.segments)
    return {
        "ids": torch.from_numpy(packed.ids),
        "positions": torch.from_numpy(packed.positions),
        "groups": packed.groups,
        "firsts": torch.from_numpy(packed.firsts),
        "segments": segments,
        "labels": torch.from_numpy(labels[numbers]),
    }


def parameter_groups(trainee: Trainee, recipe: TrainingRecipe) -> list[dict[str, object]]:
    """AdamW's groups: biases and LayerNorm are not decayed, and each layer learns slower than the one above it.

    The head and the pooler learn at the full rate, the topmost layer at `layer_decay` of it, and so on down to the
    embeddings.
    """
    layers = len(trainee.classifier.encoder.layers)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in trainee.named_parameters():
        rate = recipe.learning_rate * recipe.layer_decay ** _below_the_head(name, layers)
        is_plain = name.endswith("bias") or "norm" in name
        groups.setdefault((rate, 0.0 if is_plain else recipe.weight_decay), []).append(parameter)
    return [{"params": some, "lr": rate, "weight_decay": decay} for (rate, decay), some in groups.items()]


def _below_the_head(name: str, layers: int) -> int:
    """How many blocks lie between a parameter and the head: 0 for the head, layers + 1 for the embeddings."""
    block = re.search(r"encoder\.layers\.(\d+)\.", name)
    if block:
        return layers - int(block[1])
    return layers + 1 if "encoder." in name else 0


def rate_share(step: int, steps: int, recipe: TrainingRecipe) -> float:
    """The share of the learning rate at a step: linear up over the warm-up's steps, then as the schedule says."""
    warmup = int(recipe.warmup * steps)
    if step < warmup:
        return step / max(1, warmup)
    done = (step - warmup) / max(1, steps - warmup)
    if recipe.schedule == "constant":
        return 1.0
    return max(0.0, 1 - done) if recipe.schedule == "linear" else max(0.0, 0.5 * (1 + math.cos(math.pi * done)))


def class_weights(labels: NDArray[np.int64], number: int, power: float) -> Tensor:
    """The weight of each class, (1 / its share) ** power, such that the texts weigh 1 on average: float32 [classes]."""
    share = np.bincount(labels, minlength=number) / max(1, len(labels))
    weights = np.where(share > 0, np.maximum(share, 1e-9) ** -power, 0.0)
    return torch.from_numpy((weights / max(1e-9, float((weights * share).sum()))).astype(np.float32))


def loss_of(logits: Tensor, labels: Tensor, weights: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy of the texts, each class with its weight, added up: a scalar."""
    each = F.cross_entropy(logits.float(), labels, label_smoothing=smoothing, reduction="none")
    return (each * weights.to(logits.device)[labels]).sum()
