"""Multi-task fine-tuning: train one model on several labelled corpora.

- Main task: predict the six classes.
- Auxiliary tasks: predict the labels of KOTE, the labels of GoEmotions, and the ratings of reviews.

A text has targets for only some of the tasks. Each auxiliary task has a separate head, which is removed after training.
The auxiliary tasks only improve the encoder.

The targets of the six classes are soft: a text with the labels joy and sadness has a weight for each of these classes.
Soft targets also prevent overconfident predictions.
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
    """Texts with targets for several tasks. If a text has no target for a task, the target is NaN.

    Attributes:
        encoded: Token ids of the texts.
        corpora: {name of the corpus: row numbers of the texts, int64}.
        classes: Soft targets of the six classes, float32 [texts, classes].
        marks: {auxiliary task: targets from 0 to 1, float32 [texts, outputs]}.
    """

    encoded: Encoded
    corpora: dict[str, NDArray[np.int64]]
    classes: NDArray[np.float32]
    marks: dict[str, NDArray[np.float32]]


class FineTuner(nn.Module):
    """Classifier of the six classes, with an additional head for each auxiliary task.

    Args:
        body: The classifier.
        outputs: {auxiliary task: number of outputs}.
    """

    def __init__(self, body: Classifier, outputs: dict[str, int]) -> None:
        super().__init__()
        self.body = body
        self.heads = nn.ModuleDict({task: nn.Linear(body.head.in_features, size) for task, size in outputs.items()})

    def forward(self, ids: Tensor, dropout: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Return (class logits [rows, classes], {auxiliary task: logits [rows, outputs]}).

        Args:
            ids: int [rows, tokens], token ids of texts with equal lengths.
            dropout: Dropout probability. 0: no dropout.
        """
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
    """Fine-tune a classifier in place, and return a copy with averaged weights.

    The averaged weights are an exponential moving average over all steps, with the decay `recipe.average`. `judge`
    scores the averaged weights after each epoch. The returned copy is from the best epoch of the last phase.

    Args:
        body: The classifier to train.
        examples: Texts with targets.
        recipe: Settings and phases of the fine-tuning.
        judge: judge(classifier) returns a score; a higher score is better.
        report: callback(line), called with progress.
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
        optimizer = torch.optim.AdamW(_parameter_groups(model, recipe.weight_decay), phase.learning_rate)
        progress = Progress(sum(map(len, batches)), "steps", report)
        for epoch in batches:
            for rows in epoch:
                rate = phase.learning_rate * learning_rate_factor(progress.done / progress.total, recipe.warmup)
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
    """Return judge(classifier), a function that computes the macro-F1 on labelled texts.

    Args:
        encoded: Token ids of the texts.
        labels: int64 [rows], label ids. Texts with the label id -1 are ignored.
        rows: int64 [rows], row numbers of the labelled texts. None: use all texts.
    """

    def judge(classifier: Classifier) -> float:
        return evaluate_classifier(classifier, encoded, labels, DEFAULT_LABELS, rows).macro_f1

    return judge


def learning_rate_factor(done: float, warmup: float) -> float:
    """Return the learning-rate factor (0 to 1): linear warm-up, then linear decay to 0.

    Args:
        done: Number of finished steps / total number of steps.
        warmup: Number of warm-up steps / total number of steps.
    """
    if done < warmup:
        return done / warmup
    return (1 - done) / (1 - warmup) if warmup < 1 else 1.0


def balanced(examples: Examples, power: float) -> NDArray[np.float32]:
    """Return the class targets, with larger weights for rare classes.

    Each target is multiplied by (1 / frequency of the class) ** `power`. The frequencies are computed for each corpus
    separately, because a class can be rare in KOTE but frequent in GoEmotions. Finally, the targets of each
    corpus are scaled. The scaled targets of a text add up to 1 on average.

    Args:
        examples: Texts with targets.
        power: Exponent from 0 (no change) to 1 (equal total weights of all classes).

    Returns:
        float32 [texts, classes].
    """
    classes = examples.classes.copy()
    for rows in examples.corpora.values():
        known = rows[~np.isnan(classes[rows, 0])]
        if len(known):
            frequency = np.maximum(classes[known].mean(axis=0), 1e-6)
            weights = frequency**-power
            classes[known] *= weights / (weights * frequency).sum()
    return classes


def _rows_of_epoch(examples: Examples, phase: Phase, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return the row numbers of an epoch, as set in `phase.shares`.

    For example, with the share 2.5, an epoch contains each row of the corpus twice, and a random half of the rows once
    more.
    """
    drawn = []
    for corpus, share in phase.shares.items():
        rows = examples.corpora.get(corpus, np.zeros(0, np.int64))
        whole, fraction = divmod(share, 1)
        drawn += [rows] * int(whole)
        drawn.append(generator.permutation(rows)[: round(fraction * len(rows))])
    return np.concatenate(drawn)


def _batches(
    examples: Examples, rows: NDArray[np.int64], budget: int, generator: np.random.Generator
) -> list[NDArray[np.int64]]:
    return [rows[batch] for batch in equal_length_batches(examples.encoded.lengths[rows], budget, generator)]


def _losses(model: FineTuner, examples: Examples, rows: NDArray[np.int64], dropout: float) -> dict[str, Tensor]:
    """Return {task: loss}. A row without a target adds 0 to the loss."""
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
        summed = F.binary_cross_entropy_with_logits(others[task].float()[known], target[known], reduction="sum")
        losses[task] = summed / (max(1, len(rows)) * target.shape[1])
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


def _parameter_groups(model: nn.Module, decay: float) -> list[dict[str, object]]:
    """Return the parameter groups for AdamW: matrices with weight decay, and vectors without weight decay."""
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
