"""Fine-tune a model with the Trainer of transformers: train, write checkpoints, resume, and keep the best epoch."""

from __future__ import annotations

import abc
import functools
import gc
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers.trainer_callback import PrinterCallback

from emojob.pipeline.models.bert import Classifier
from emojob.schemas.errors import Interrupted, OptionError
from emojob.training.evaluation.metrics import Evaluation
from emojob.training.evaluation.predict import evaluate_classifier
from emojob.training.finetune import checkpoints
from emojob.training.finetune.checkpoints import TrainingState, Weights
from emojob.training.finetune.distributed import process_count, sum_over_processes, wait_for_all
from emojob.training.finetune.learner import (
    Learner,
    RowNumbers,
    class_weights,
    packed_batch,
    sampled_rows,
    summed_loss,
)
from emojob.training.finetune.optimization import HfTrainer, training_arguments
from emojob.training.finetune.watch import Callbacks, EncodedSplit, Progress, TrainerInputs, TrainingInputs

CHECKPOINT_SECONDS = 300.0
# Number of steps between two checkpoints if there are several processes. CHECKPOINT_SECONDS is not used then, because
# the clocks of the processes may differ.
_CHECKPOINT_STEPS = 500


def train(classifier: Classifier, inputs: TrainingInputs, callbacks: Callbacks) -> TrainingState:
    """Fine-tune a classifier in place. If the work folder has a checkpoint, continue from the checkpoint.

    If memory runs out, emojob halves the number of texts in a forward pass. The batch size does not change, because the
    gradients are accumulated.

    Args:
        classifier: The model to train. The result has the weights of the best or the last epoch (`training.keep`).
        inputs: Data, recipe and device.
        callbacks: Functions for progress and messages, and an object for stopping the training.

    Returns:
        The final state.

    Raises:
        Interrupted: The training was stopped with `callbacks.stop`.
        OptionError: The memory is too small, or the loss is not finite.
    """
    return run_attempts(classifier, functools.partial(_ClassifierAttempt, classifier, inputs, callbacks), callbacks)


def run_attempts(model: nn.Module, begin: Callable[[int | None], Attempt], callbacks: Callbacks) -> TrainingState:
    """Run attempts at a training until the memory is enough. Each attempt uses half as many texts in a forward pass.

    Args:
        model: The model that is trained in place.
        begin: Function that returns an attempt with the given number of texts in a forward pass. None: the attempt
            chooses the number.
        callbacks: Functions for progress and messages.

    Returns:
        The final state.

    Raises:
        Interrupted: The training was stopped with `callbacks.stop`.
        OptionError: The memory is too small, or the loss is not finite.
    """
    initial_weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    micro_batch = None
    while True:
        attempt = begin(micro_batch)
        try:
            return attempt.run()
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            micro_batch = _halved(attempt.micro_batch)
            callbacks.note(
                f"out of memory: training continues with {micro_batch} texts at a time and accumulates the gradients"
            )
        del attempt
        gc.collect()  # free the Trainer, which is in a reference cycle
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        model.load_state_dict(initial_weights)


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "allocate memory" in str(error)


def _halved(micro_batch: int) -> int:
    if process_count() > 1:
        raise OptionError(
            f"out of memory with {micro_batch} texts at a time in each of {process_count()} processes; increase "
            "training.accumulation in the recipe"
        )
    if micro_batch == 1:
        raise OptionError(
            "out of memory, even with one text at a time; reduce training.max_length in the recipe, or give a smaller "
            "base model with --base"
        )
    return micro_batch // 2


def _largest_micro_batch(inputs: TrainerInputs) -> int:
    """Return how many texts a process uses in a forward pass if memory does not run out."""
    recipe = inputs.recipe
    parts = recipe.accumulation * process_count()
    if recipe.batch % parts:
        raise OptionError(
            f"recipe: training.batch is {recipe.batch}, but must be a multiple of {parts} (training.accumulation "
            f"{recipe.accumulation} * {process_count()} processes)"
        )
    return recipe.batch // parts


class Attempt(abc.ABC):
    """One attempt at a training, with a fixed number of texts in a forward pass.

    If memory runs out, `run_attempts` makes another attempt with fewer texts in a forward pass.

    Attributes:
        trainer: The Trainer, which the subclass creates. Its callbacks contain `watcher`.
    """

    trainer: HfTrainer

    def __init__(self, model: nn.Module, inputs: TrainerInputs, callbacks: Callbacks, micro_batch: int | None) -> None:
        self.model, self.settings, self.callbacks = model, inputs, callbacks
        self.checkpoint = checkpoints.newest_complete(inputs.work)
        self.state = TrainingState()
        self.best: Weights | None = None
        if self.checkpoint:
            self.state, self.best = checkpoints.read_checkpoint(self.checkpoint)
        self.micro_batch = micro_batch or self.state.batch or _largest_micro_batch(inputs)
        self.state.batch = self.micro_batch
        self._step_sums = [0.0, 0.0, 0.0]  # sums since the last step: training loss, cross-entropy, number of items
        self.watcher = Watcher(self)

    def run(self) -> TrainingState:
        """Train until all epochs are done, or until early stopping (`patience`) ends the training."""
        if not self.state.finished:
            self.trainer.train(resume_from_checkpoint=str(self.checkpoint) if self.checkpoint else None)
            if self.watcher.stopping and not self.state.finished:
                raise Interrupted(
                    f"interrupted after epoch {len(self.state.curves.epoch)}: to resume, run the same command again"
                )
        elif self.checkpoint:
            self.trainer._load_from_checkpoint(str(self.checkpoint))
        if self.settings.recipe.keep == "best" and self.best is not None:
            self.model.load_state_dict(self.best)
        self.model.eval()
        return self.state

    def count_loss(self, objective: float, cross_entropy: float, items: int) -> None:
        """Add the sums of a forward pass to the sums of the step.

        Args:
            objective: Sum of the training loss.
            cross_entropy: Sum of the cross-entropy.
            items: Number of texts or of tokens that have a loss.

        Raises:
            OptionError: The loss is not finite.
        """
        if not math.isfinite(objective):
            raise OptionError(
                f"training diverged: the loss is {objective} after {self.trainer.state.global_step:,} steps; lower "
                f"training.learning_rate (now {self.settings.recipe.learning_rate:g}), or give another base model with "
                "--base"
            )
        batch_sums = (objective, cross_entropy, items)
        self._step_sums = [before + added for before, added in zip(self._step_sums, batch_sums, strict=True)]

    def end_step(self, stopping: bool) -> bool:
        """Add the sums of the step from all processes to the state. Return whether any process wants to stop."""
        objective, cross_entropy, items, stops = sum_over_processes([*self._step_sums, float(stopping)])
        self._step_sums = [0.0, 0.0, 0.0]
        state = self.state
        state.loss_sum += objective
        state.loss_texts += int(items)
        state.epoch_loss += cross_entropy
        state.epoch_texts += int(items)
        return stops > 0

    def keep_best(self, epoch: int, is_better: bool) -> None:
        """Keep the weights if the epoch is the best so far. End the training after `patience` worse epochs."""
        state, patience = self.state, self.settings.recipe.patience
        state.worse_epochs += 1
        if is_better:
            state.best_epoch, state.worse_epochs = epoch, 0
            self.best = {name: weight.cpu().clone() for name, weight in self.model.state_dict().items()}
        if patience and state.worse_epochs >= patience:
            state.finished = True

    @abc.abstractmethod
    def end_epoch(self, epoch: float) -> None:
        """Evaluate the model after an epoch, and call `keep_best` if the recipe keeps the best epoch."""


class _ClassifierAttempt(Attempt):
    """One attempt at the training of a classifier."""

    def __init__(
        self, classifier: Classifier, inputs: TrainingInputs, callbacks: Callbacks, micro_batch: int | None
    ) -> None:
        super().__init__(classifier, inputs, callbacks, micro_batch)
        self.inputs, self.classifier = inputs, classifier
        self._train_sample = sampled_rows(len(inputs.train.labels), inputs.recipe.seed)
        weights = class_weights(inputs.train.labels, len(inputs.names), inputs.recipe.class_weights)
        self.trainer = HfTrainer(
            inputs.recipe,
            model=Learner(classifier, inputs.recipe.dropout),
            args=training_arguments(inputs, self.micro_batch),
            train_dataset=RowNumbers(len(inputs.train.labels)),
            data_collator=functools.partial(packed_batch, inputs.train.encoded, inputs.train.labels),
            compute_loss_func=functools.partial(self._loss, weights),
            callbacks=[self.watcher],
        )
        self.trainer.remove_callback(PrinterCallback)

    def _loss(
        self, weights: Tensor, logits: Tensor, labels: Tensor, num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        loss = summed_loss(logits, labels, weights, self.inputs.recipe.label_smoothing)
        with torch.no_grad():
            cross_entropy = float(torch.nn.functional.cross_entropy(logits.float(), labels, reduction="sum"))
        self.count_loss(float(loss.detach()), cross_entropy, len(labels))
        return loss / (len(labels) if num_items_in_batch is None else num_items_in_batch)

    def end_epoch(self, epoch: float) -> None:
        """Evaluate the model after an epoch. If the epoch is the best so far, keep a copy of the weights.

        The test split is measured only if the recipe says `test_each_epoch`. Otherwise, nothing may depend on it.
        """
        state, curves, recipe = self.state, self.state.curves, self.inputs.recipe
        curves.epoch.append(round(epoch, 4))
        state.epoch_loss, state.epoch_texts = 0.0, 0
        train = self._evaluate(self.inputs.train, self._train_sample)
        curves.train_loss.append(train.log_loss)
        curves.train_accuracy.append(train.accuracy)
        # the Trainer shows eval_loss as eval/loss, and test_loss as test/loss
        logged = {"eval_train_loss": train.log_loss, "eval_train_accuracy": train.accuracy}
        note = f"epoch {len(curves.epoch)}: train accuracy {train.accuracy:.3f}"
        if len(self.inputs.validation.labels):
            found = self._evaluate(self.inputs.validation)
            curves.validation_loss.append(found.log_loss)
            curves.validation_accuracy.append(found.accuracy)
            curves.validation_macro_f1.append(found.macro_f1)
            logged |= {"eval_loss": found.log_loss, "eval_accuracy": found.accuracy, "eval_macro_f1": found.macro_f1}
            note += f", validation macro-F1 {found.macro_f1:.3f}, validation log-loss {found.log_loss:.3f}"
            if recipe.keep == "best":
                self._keep_if_best(found, len(curves.epoch))
        if recipe.test_each_epoch and len(self.inputs.test.labels):
            test = self._evaluate(self.inputs.test)
            curves.test_loss.append(test.log_loss)
            curves.test_accuracy.append(test.accuracy)
            logged |= {"test_loss": test.log_loss, "test_accuracy": test.accuracy}
            note += f", test accuracy {test.accuracy:.3f}"
        self.trainer.log(logged)
        self.callbacks.note(note)

    def _evaluate(self, part: EncodedSplit, rows: NDArray[np.int64] | None = None) -> Evaluation:
        labels = part.labels if rows is None else part.labels[rows]
        return evaluate_classifier(self.classifier, part.encoded, labels, self.inputs.names, rows)

    def _keep_if_best(self, found: Evaluation, epoch: int) -> None:
        state = self.state
        same = math.isclose(found.macro_f1, state.best_score, rel_tol=1e-9)
        is_better = found.log_loss < state.best_loss if same else found.macro_f1 > state.best_score
        if is_better:
            state.best_score, state.best_loss = found.macro_f1, found.log_loss
        self.keep_best(epoch, is_better)


class Watcher(transformers.TrainerCallback):
    """Trainer callback that reports progress, evaluates the model after each epoch, and requests checkpoints."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.progress = Progress(epochs=attempt.settings.recipe.epochs)
        self.saved_at = time.monotonic()
        self.stopping = False  # whether any process wants to stop

    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        self.attempt.callbacks.stop.started = True
        self.progress.steps = state.max_steps
        self.progress.step = self.progress.first_step = state.global_step
        self.steps_of_epoch = max(1, state.max_steps // self.progress.epochs)

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        ours, progress = self.attempt.state, self.progress
        self.stopping = self.attempt.end_step(self.attempt.callbacks.stop.stopping)
        progress.step, progress.epoch = state.global_step, state.epoch
        progress.learning_rate = others["lr_scheduler"].get_last_lr()[-1]
        progress.loss = ours.epoch_loss / max(1, ours.epoch_texts)
        if state.global_step % self.attempt.settings.recipe.log_every == 0:
            ours.curves.step.append(state.global_step)
            ours.curves.loss.append(ours.loss_sum / max(1, ours.loss_texts))
            ours.curves.learning_rate.append(progress.learning_rate)
            ours.loss_sum, ours.loss_texts = 0.0, 0
        epoch_ends = state.global_step % self.steps_of_epoch == 0  # then `on_epoch_end` saves
        if not epoch_ends and (self.stopping or self._is_checkpoint_due(state.global_step)):
            control.should_save = True
        control.should_training_stop |= self.stopping
        self.attempt.callbacks.report(progress)

    def _is_checkpoint_due(self, step: int) -> bool:
        if process_count() > 1:
            return step % _CHECKPOINT_STEPS == 0
        return time.monotonic() - self.saved_at >= CHECKPOINT_SECONDS

    def on_epoch_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        if state.global_step % self.steps_of_epoch:
            return  # training was stopped within the epoch
        self.attempt.end_epoch(state.epoch)
        ours = self.attempt.state
        ours.finished |= state.global_step >= state.max_steps
        control.should_save = True
        control.should_training_stop |= ours.finished or self.stopping

    def on_save(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        self.saved_at = time.monotonic()
        wait_for_all()  # wait for the random states of all processes
        if state.is_world_process_zero:
            checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            checkpoints.complete_checkpoint(checkpoint, self.attempt.state, self.attempt.best)
