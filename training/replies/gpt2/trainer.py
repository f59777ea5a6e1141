"""Fine-tunes a GPT-2 model on pairs: the settings, the optimizer, the loss and early stopping."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.trainer_callback import PrinterCallback

from emojob.schemas.settings import between
from emojob.training.finetune.checkpoints import TrainingState
from emojob.training.finetune.learner import RowNumbers, sampled_rows
from emojob.training.finetune.optimization import HfTrainer, training_arguments
from emojob.training.finetune.recipe import TrainingRecipe, read_train_recipe
from emojob.training.finetune.trainer import Attempt, run_attempts
from emojob.training.finetune.watch import Callbacks, TrainerInputs
from emojob.training.replies.gpt2.packing import AnswerLoss, Examples, PackedLearner, measure_loss, packed_batch


@dataclass(frozen=True)
class Gpt2Recipe:
    """Settings of the fine-tuning of a GPT-2 model.

    Attributes:
        epochs: Maximum number of epochs.
        batch: Number of pairs in a step.
        learning_rate: Highest learning rate. It rises over the warm-up, and falls to 0 along a cosine.
        warmup: Fraction of all steps over which the learning rate rises.
        weight_decay: Weight decay of all weights except biases and LayerNorm weights.
        clip: Maximum norm of the gradient.
        patience: Training stops after this number of epochs without a lower validation perplexity; 0: never early.
        max_length: Maximum number of tokens of a pair.
        row_tokens: Maximum number of tokens of a packed row. Longer rows need more work for the attention.
        log_every: Number of steps between two logged values.
        seed: Seed of dropout and of the order of the pairs.
    """

    epochs: int = 10
    batch: int = 32
    learning_rate: float = 5e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    patience: int = 2
    max_length: int = 128
    row_tokens: int = 256
    log_every: int = 50
    seed: int = 4

    def __post_init__(self) -> None:
        """Raise OptionError if a value is not valid."""
        between("recipe: max_length", self.max_length, 8, 100_000)
        between("recipe: row_tokens", self.row_tokens, self.max_length, 1_000_000)
        self.for_trainer()

    def for_trainer(self) -> TrainingRecipe:
        """Return the settings in the form of `emojob train`, whose Trainer trains the model."""
        shared = {key: value for key, value in dataclasses.asdict(self).items() if key not in _ONLY_GPT2}
        usual = read_train_recipe().training
        return dataclasses.replace(usual, **shared, schedule="cosine", layer_decay=1.0, keep="best", precision="auto")

    def fitted(self, positions: int, pairs: int) -> Gpt2Recipe:
        """Return the recipe for a model and a number of pairs: shorter rows and more logged values if necessary.

        Args:
            positions: Largest number of tokens that the model reads.
            pairs: Number of pairs for training.
        """
        steps = self.epochs * math.ceil(pairs / self.batch)
        return dataclasses.replace(
            self,
            max_length=min(self.max_length, positions),
            row_tokens=min(self.row_tokens, positions),
            log_every=min(self.log_every, max(1, steps // 20)),
        )


_ONLY_GPT2 = ("max_length", "row_tokens")


@dataclass(frozen=True, kw_only=True)
class Gpt2Inputs(TrainerInputs):
    """Inputs of the fine-tuning of a GPT-2 model.

    Attributes:
        train: Pairs for training.
        validation: Pairs for early stopping; may be empty. Then the last epoch is kept.
        row_tokens: Maximum number of tokens of a packed row.
    """

    train: Examples
    validation: Examples
    row_tokens: int


def gpt2_inputs(
    train: Examples, validation: Examples, recipe: Gpt2Recipe, work: Path, device: str, report_to: Sequence[str] = ()
) -> Gpt2Inputs:
    """Return the inputs of a run. On a GPU that has it, training uses bfloat16 mixed precision.

    Args:
        train: Pairs for training.
        validation: Pairs for early stopping; may be empty.
        recipe: Settings of the training.
        work: Folder for checkpoints and logs.
        device: cpu or cuda.
        report_to: Programs that show the curves.
    """
    settings = recipe.for_trainer()
    if not len(validation):
        settings = dataclasses.replace(settings, keep="last", patience=0)
    return Gpt2Inputs(
        train=train,
        validation=validation,
        row_tokens=recipe.row_tokens,
        recipe=settings,
        work=work,
        device=device,
        bf16=device == "cuda" and torch.cuda.is_bf16_supported(),
        report_to=list(report_to),
    )


def train(learner: PackedLearner, inputs: Gpt2Inputs, callbacks: Callbacks) -> TrainingState:
    """Fine-tune a model in place. If the work folder has a checkpoint, continue from the checkpoint.

    Args:
        learner: The model to train. The result has the weights of the epoch with the lowest validation perplexity.
        inputs: Pairs, settings and device.
        callbacks: Functions for progress and messages, and an object for stopping the training.

    Returns:
        The final state. In it, a loss is the mean of a target token, and `validation_accuracy` is the share of target
        tokens that the model ranks first.

    Raises:
        Interrupted: The training was stopped with `callbacks.stop`.
        OptionError: The memory is too small, or the loss is not finite.
    """
    return run_attempts(learner, functools.partial(_Gpt2Attempt, learner, inputs, callbacks), callbacks)


class _Gpt2Trainer(HfTrainer):
    """Trainer with the parameter groups of GPT-2."""

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(gpt2_parameter_groups(cast(PackedLearner, self.model), self._recipe))
        return self.optimizer


def gpt2_parameter_groups(model: nn.Module, recipe: TrainingRecipe) -> list[dict[str, object]]:
    """Return the parameter groups for AdamW. Biases and LayerNorm weights have no weight decay."""
    decayed: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for name, parameter in model.named_parameters():
        decayed[not (name.endswith("bias") or ".ln_" in name)].append(parameter)
    return [
        {"params": decayed[True], "lr": recipe.learning_rate, "weight_decay": recipe.weight_decay},
        {"params": decayed[False], "lr": recipe.learning_rate, "weight_decay": 0.0},
    ]


class _Gpt2Attempt(Attempt):
    """One attempt at the training, with a fixed number of pairs in a forward pass."""

    def __init__(
        self, learner: PackedLearner, inputs: Gpt2Inputs, callbacks: Callbacks, micro_batch: int | None
    ) -> None:
        super().__init__(learner, inputs, callbacks, micro_batch)
        self.learner, self.inputs = learner, inputs
        self._train_sample = sampled_rows(len(inputs.train), inputs.recipe.seed)
        self.trainer = _Gpt2Trainer(
            inputs.recipe,
            model=learner,
            args=training_arguments(inputs, self.micro_batch),
            train_dataset=RowNumbers(len(inputs.train)),
            data_collator=functools.partial(packed_batch, inputs.train, inputs.row_tokens),
            compute_loss_func=self._loss,
            callbacks=[self.watcher],
        )
        self.trainer.remove_callback(PrinterCallback)

    def _loss(self, logits: Tensor, labels: Tensor, num_items_in_batch: Tensor | int | None = None) -> Tensor:
        loss = F.cross_entropy(logits.float(), labels, reduction="sum")
        objective = float(loss.detach())
        self.count_loss(objective, objective, len(labels))
        return loss / (len(labels) if num_items_in_batch is None else num_items_in_batch)

    def end_epoch(self, epoch: float) -> None:
        """Measure the model after an epoch. If its validation perplexity is the lowest so far, keep the weights."""
        curves, inputs = self.state.curves, self.inputs
        curves.epoch.append(round(epoch, 4))
        self.state.epoch_loss, self.state.epoch_texts = 0.0, 0
        train = measure_loss(self.learner, inputs.train, inputs.row_tokens, self._train_sample)
        curves.train_loss.append(train.loss)
        curves.train_accuracy.append(train.accuracy)
        logged = {"eval_train_loss": train.loss, "eval_train_accuracy": train.accuracy}
        note = f"epoch {len(curves.epoch)}: train perplexity {train.perplexity:,.2f}"
        if len(inputs.validation):
            found = measure_loss(self.learner, inputs.validation, inputs.row_tokens)
            curves.validation_loss.append(found.loss)
            curves.validation_accuracy.append(found.accuracy)
            logged |= {"eval_loss": found.loss, "eval_accuracy": found.accuracy, "eval_perplexity": found.perplexity}
            note += f", validation perplexity {found.perplexity:,.2f}"
            self._keep_if_best(found, len(curves.epoch))
        self.trainer.log(logged)
        self.callbacks.note(note)

    def _keep_if_best(self, found: AnswerLoss, epoch: int) -> None:
        is_better = not self.state.best_epoch or found.loss < self.state.best_loss
        if is_better:
            self.state.best_loss = found.loss
        self.keep_best(epoch, is_better)
