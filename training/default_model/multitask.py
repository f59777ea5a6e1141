"""Fine-tuning on several labelled corpora at once.

Each text brings what is known of it: the weights of its classes, the labels of its corpus, its rating. The six
classes are what the model is for; the other tasks have heads of their own, which are thrown away in the end, and
only teach the body. Targets are soft: a text that carries joy and sadness is both, in shares, which also keeps the
model from being surer than it should be.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from emojob.pipeline.models.bert import Classifier
from emojob.pipeline.models.tokenizer import Encoded
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.default_model.batches import equal_length_batches, gather
from emojob.training.default_model.progress import Progress
from emojob.training.default_model.recipe import FineTuningRecipe, Phase
from emojob.training.evaluation.predict import evaluate_classifier


@dataclass(frozen=True)
class Examples:
    """Texts with what is known of them; a row of NaN where nothing is.

    corpora: the rows of each corpus; classes: float32 [rows, classes], summing to 1;
    marks: for each further task float32 [rows, outputs] in 0..1.
    """

    encoded: Encoded
    corpora: dict[str, NDArray[np.int64]]
    classes: NDArray[np.float32]
    marks: dict[str, NDArray[np.float32]]


class FineTuner(nn.Module):
    """The classifier with a further head for each further task."""

    def __init__(self, body: Classifier, outputs: dict[str, int]) -> None:
        super().__init__()
        self.body = body
        self.heads = nn.ModuleDict({task: nn.Linear(body.head.in_features, size) for task, size in outputs.items()})

    def forward(self, ids: Tensor, dropout: float) -> tuple[Tensor, dict[str, Tensor]]:
        """ids: int [rows, tokens] -> logits of the classes [rows, classes] and of each task [rows, outputs]."""
        pooled = self.body.pooled(ids, dropout=dropout)
        pooled = F.dropout(pooled, dropout, dropout > 0)
        return self.body.head(pooled), {task: head(pooled) for task, head in self.heads.items()}


def fine_tune(
    body: Classifier,
    examples: Examples,
    recipe: FineTuningRecipe,
    judge: Callable[[Classifier], float],
    report: Callable[[str], None],
) -> Classifier:
    """Fine-tune `body` in place, and return that average of its weights in the last phase that `judge` rates highest.

    The average runs over the steps, the weights of a step counting `recipe.average` times as much as the next one's: a
    few thousand labelled texts move the weights to and fro more than they teach them. `judge` is asked at epoch ends.
    """
    torch.manual_seed(recipe.seed)
    device = body.head.weight.device
    model = FineTuner(body, {task: marks.shape[1] for task, marks in examples.marks.items()}).to(device)
    generator = np.random.default_rng(recipe.seed)
    averaged = AveragedModel(body, multi_avg_fn=get_ema_multi_avg_fn(recipe.average))  # type: ignore[no-untyped-call]
    average = cast(Classifier, averaged.module)
    best, best_score = average, -1.0
    for phase in recipe.phases:
        epochs = [_rows_of_epoch(examples, phase, generator) for _ in range(phase.epochs)]
        batches = [_batches(examples, rows, recipe.batch_tokens, generator) for rows in epochs]
        optimizer = torch.optim.AdamW(_decayed_and_not(model, recipe.weight_decay), phase.learning_rate)
        progress = Progress(sum(map(len, batches)), "steps", report)
        for epoch in batches:
            for rows in epoch:
                rate = phase.learning_rate * learning_rate_share(progress.done / progress.total, recipe.warmup)
                losses = _losses(model, examples, rows, recipe.dropout)
                _step(model, optimizer, losses, phase, rate)
                averaged.update_parameters(body)
                progress.add(1, {task: loss.item() for task, loss in losses.items()})
            score = judge(average)
            report(f"{phase.name}: held-out macro-F1 {score:.4f}")
            if phase is recipe.phases[-1] and score > best_score:
                best, best_score = copy.deepcopy(average), score
    return best.cpu()


def macro_f1_on(
    encoded: Encoded, labels: NDArray[np.int64], rows: NDArray[np.int64] | None = None
) -> Callable[[Classifier], float]:
    """What judges a classifier by its macro-F1 on texts, or on those that `rows` names; labels: ids, -1 leaves out."""

    def judge(classifier: Classifier) -> float:
        return evaluate_classifier(classifier, encoded, labels, DEFAULT_LABELS, rows).macro_f1

    return judge


def learning_rate_share(done: float, warmup: float) -> float:
    """The share of the full learning rate after a share `done` of the steps: linear up, then linear down to 0."""
    if done < warmup:
        return done / warmup
    return (1 - done) / (1 - warmup) if warmup < 1 else 1.0


def _rows_of_epoch(examples: Examples, phase: Phase, generator: np.random.Generator) -> NDArray[np.int64]:
    """Each corpus as often as its share says: whole times, and a part drawn anew."""
    drawn = []
    for corpus, share in phase.shares.items():
        rows = examples.corpora.get(corpus, np.zeros(0, np.int64))
        whole, part = divmod(share, 1)
        drawn += [rows] * int(whole)
        drawn.append(generator.permutation(rows)[: round(part * len(rows))])
    return np.concatenate(drawn)


def _batches(
    examples: Examples, rows: NDArray[np.int64], budget: int, generator: np.random.Generator
) -> list[NDArray[np.int64]]:
    return [rows[batch] for batch in equal_length_batches(examples.encoded.lengths[rows], budget, generator)]


def _losses(model: FineTuner, examples: Examples, rows: NDArray[np.int64], dropout: float) -> dict[str, Tensor]:
    """The loss of each task over those rows of which the task's answer is known."""
    device = model.body.head.weight.device
    ids = gather(examples.encoded, rows).to(device)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        logits, others = model(ids, dropout)
    target = torch.from_numpy(examples.classes[rows]).to(device)
    known = ~target[:, 0].isnan()
    losses = {"classes": -(target[known] * F.log_softmax(logits.float()[known], 1)).sum() / max(1, len(rows))}
    for task, marks in examples.marks.items():
        target = torch.from_numpy(marks[rows]).to(device)
        known = ~target[:, 0].isnan()
        each = F.binary_cross_entropy_with_logits(others[task].float()[known], target[known], reduction="sum")
        losses[task] = each / (max(1, len(rows)) * target.shape[1])
    return losses


def _step(
    model: nn.Module, optimizer: torch.optim.Optimizer, losses: dict[str, Tensor], phase: Phase, rate: float
) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
    total = torch.stack([phase.weights[task] * loss for task, loss in losses.items()]).sum()
    torch.autograd.backward(total)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


def balanced(examples: Examples, power: float) -> NDArray[np.float32]:
    """The texts' classes, each class weighted with (1 / its share) ** power: float32 [rows, classes].

    Shares are those within a corpus, for what is rare in one may be common in another; the texts of a corpus weigh
    1 on average.
    """
    classes = examples.classes.copy()
    for rows in examples.corpora.values():
        known = rows[~np.isnan(classes[rows, 0])]
        if len(known):
            share = np.maximum(classes[known].mean(axis=0), 1e-6)
            weights = share**-power
            classes[known] *= weights / (weights * share).sum()
    return classes


def _decayed_and_not(model: nn.Module, decay: float) -> list[dict[str, object]]:
    """Parameters in BERT's two groups: biases and LayerNorm are not decayed."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
