"""Fine-tune a model with the Trainer of transformers: train, write checkpoints, resume, and keep the best epoch."""

from __future__ import annotations

import functools
import gc
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import Tensor
from transformers.trainer_callback import PrinterCallback

from emojob.pipeline.models.bert import Classifier
from emojob.schemas.errors import Interrupted, OptionError
from emojob.training.evaluation.metrics import Evaluation
from emojob.training.evaluation.predict import evaluate_classifier
from emojob.training.finetune import checkpoints
from emojob.training.finetune.checkpoints import TrainingState, Weights
from emojob.training.finetune.distributed import process_count, sum_over_processes, wait_for_all
from emojob.training.finetune.learner import Learner, RowNumbers, class_weights, packed_batch, summed_loss
from emojob.training.finetune.optimization import HfTrainer, training_arguments
from emojob.training.finetune.watch import Callbacks, EncodedSplit, Progress, TrainingInputs

CHECKPOINT_SECONDS = 300.0
# Number of steps between two checkpoints if there are several processes. CHECKPOINT_SECONDS is not used then, because
# the clocks of the processes may differ.
_CHECKPOINT_STEPS = 500

# After each epoch, 5% of the train texts are measured, but at least and at most so many.
_FEWEST_SAMPLED, _MOST_SAMPLED = 500, 2_000


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
    initial_weights = {name: weight.clone() for name, weight in classifier.state_dict().items()}
    micro_batch = None
    while True:
        attempt = _Attempt(classifier, inputs, callbacks, micro_batch)
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
        classifier.load_state_dict(initial_weights)


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


def _largest_micro_batch(inputs: TrainingInputs) -> int:
    """Return how many texts a process uses in a forward pass if memory does not run out."""
    recipe = inputs.recipe
    parts = recipe.accumulation * process_count()
    if recipe.batch % parts:
        raise OptionError(
            f"recipe: training.batch is {recipe.batch}, but must be a multiple of {parts} (training.accumulation "
            f"{recipe.accumulation} * {process_count()} processes)"
        )
    return recipe.batch // parts


class _Attempt:
    """One attempt at the training, with a fixed number of texts in a forward pass.

    If memory runs out, `train` makes another attempt with fewer texts in a forward pass.
    """

    def __init__(
        self, classifier: Classifier, inputs: TrainingInputs, callbacks: Callbacks, micro_batch: int | None
    ) -> None:
        self.inputs, self.callbacks, self.classifier = inputs, callbacks, classifier
        self.checkpoint = checkpoints.newest_complete(inputs.work)
        self.state = TrainingState()
        self.best: Weights | None = None
        if self.checkpoint:
            self.state, self.best = checkpoints.read_checkpoint(self.checkpoint)
        self.micro_batch = micro_batch or self.state.batch or _largest_micro_batch(inputs)
        self.state.batch = self.micro_batch
        self._train_sample = _sampled_rows(len(inputs.train.labels), inputs.recipe.seed)
        self._step_sums = [0.0, 0.0, 0.0]  # sums since the last step: training loss, cross-entropy, number of texts
        weights = class_weights(inputs.train.labels, len(inputs.names), inputs.recipe.class_weights)
        self.watcher = _Watcher(self)
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
        if self.inputs.recipe.keep == "best" and self.best is not None:
            self.classifier.load_state_dict(self.best)
        self.classifier.eval()
        return self.state

    def _loss(
        self, weights: Tensor, logits: Tensor, labels: Tensor, num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        loss = summed_loss(logits, labels, weights, self.inputs.recipe.label_smoothing)
        objective = float(loss.detach())
        if not math.isfinite(objective):
            raise OptionError(
                f"training diverged: the loss is {objective} after {self.trainer.state.global_step:,} steps; lower "
                f"training.learning_rate (now {self.inputs.recipe.learning_rate:g}), or give another base model with "
                "--base"
            )
        with torch.no_grad():
            cross_entropy = float(torch.nn.functional.cross_entropy(logits.float(), labels, reduction="sum"))
        batch_sums = (objective, cross_entropy, len(labels))
        self._step_sums = [before + added for before, added in zip(self._step_sums, batch_sums, strict=True)]
        return loss / (len(labels) if num_items_in_batch is None else num_items_in_batch)

    def end_step(self, stopping: bool) -> bool:
        """Add the sums of the step from all processes to the state. Return whether any process wants to stop."""
        objective, cross_entropy, texts, stops = sum_over_processes([*self._step_sums, float(stopping)])
        self._step_sums = [0.0, 0.0, 0.0]
        state = self.state
        state.loss_sum += objective
        state.loss_texts += int(texts)
        state.epoch_loss += cross_entropy
        state.epoch_texts += int(texts)
        return stops > 0

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
        state, patience = self.state, self.inputs.recipe.patience
        state.worse_epochs += 1
        same = math.isclose(found.macro_f1, state.best_score, rel_tol=1e-9)
        if found.log_loss < state.best_loss if same else found.macro_f1 > state.best_score:
            state.best_score, state.best_loss = found.macro_f1, found.log_loss
            state.best_epoch, state.worse_epochs = epoch, 0
            self.best = {name: weight.cpu().clone() for name, weight in self.classifier.state_dict().items()}
        if patience and state.worse_epochs >= patience:
            state.finished = True


def _sampled_rows(texts: int, seed: int) -> NDArray[np.int64] | None:
    """Return the rows of the train split that are measured after each epoch; None: all rows."""
    wanted = max(_FEWEST_SAMPLED, min(_MOST_SAMPLED, texts // 20))
    if wanted >= texts:
        return None
    return np.sort(np.random.default_rng(seed).choice(texts, wanted, replace=False))


class _Watcher(transformers.TrainerCallback):
    """Trainer callback that reports progress, evaluates the model after each epoch, and requests checkpoints."""

    def __init__(self, attempt: _Attempt) -> None:
        self.attempt = attempt
        self.progress = Progress(epochs=attempt.inputs.recipe.epochs)
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
        if state.global_step % self.attempt.inputs.recipe.log_every == 0:
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
