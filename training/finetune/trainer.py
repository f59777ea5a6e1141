"""Fine-tuning with transformers' Trainer: batches without padding, exact resume, the best epoch kept."""

from __future__ import annotations

import functools
import gc
import math
import os
import time
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from torch import Tensor
from transformers.trainer_callback import PrinterCallback

from emojob.pipeline.models.bert import Classifier
from emojob.pipeline.system import hardware
from emojob.schemas.errors import Interrupted, OptionError
from emojob.training.default_model.multitask import predict
from emojob.training.evaluation.calibration import softmax
from emojob.training.evaluation.metrics import evaluate
from emojob.training.finetune import checkpoints
from emojob.training.finetune.checkpoints import State, Weights
from emojob.training.finetune.learner import (
    Rows,
    Shuffled,
    Trainee,
    class_weights,
    loss_of,
    packed_batch,
    parameter_groups,
    rate_share,
)
from emojob.training.finetune.recipe import TrainingRecipe
from emojob.training.finetune.watch import Callbacks, EncodedSplit, Progress, TrainingInputs

CHECKPOINT_SECONDS = 300.0
_CHECKPOINT_STEPS = 500  # where several processes train together, whose clocks may differ


def train(classifier: Classifier, run: TrainingInputs, callbacks: Callbacks) -> State:
    """Fine-tune `classifier` in place, going on from the work folder's checkpoint; it ends as the epoch to be kept.

    Where memory does not suffice for a batch, it is given in halves whose gradients are added up. Raises Interrupted
    after `callbacks.stop.stop`, OptionError where not even one text at a time fits into memory.
    """
    begun_with = {name: weight.clone() for name, weight in classifier.state_dict().items()}
    texts = None
    while True:
        training = _Training(classifier, run, callbacks, texts)
        try:
            return training.go()
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            texts = _fewer_texts(training.texts)
            callbacks.note(f"out of memory: going on with {texts} texts at a time, their gradients added up")
        del training
        gc.collect()  # the Trainer and its callbacks hold each other, and with them the optimizer's memory
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        classifier.load_state_dict(begun_with)


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "allocate memory" in str(error)


def _fewer_texts(texts: int) -> int:
    if _processes() > 1:
        raise OptionError(
            f"out of memory with {texts} texts at a time in each of {_processes()} processes: give the recipe a "
            "greater training.accumulation"
        )
    if texts == 1:
        raise OptionError("out of memory with one text at a time: shorten training.max_length, or take a smaller base")
    return texts // 2


def _processes() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def _micro_batch(run: TrainingInputs) -> int:
    """Texts that one process takes at a time where memory suffices. Raises OptionError where they do not divide."""
    pieces = run.recipe.accumulation * _processes()
    if run.recipe.batch % pieces:
        raise OptionError(
            f"recipe: training.batch is {run.recipe.batch}, which training.accumulation {run.recipe.accumulation} "
            f"times {_processes()} processes do not divide; give a multiple of {pieces}"
        )
    return run.recipe.batch // pieces


def _summed(numbers: list[float]) -> list[float]:
    """The sums of some numbers over all processes that train together."""
    if not torch.distributed.is_initialized():
        return numbers
    device = "cuda" if torch.distributed.get_backend() == "nccl" else "cpu"
    sums = torch.tensor(numbers, dtype=torch.float64, device=device)
    torch.distributed.all_reduce(sums)
    return list(sums.tolist())


class _Training:
    """One attempt at a run, with batches of so many texts at a time."""

    def __init__(self, classifier: Classifier, run: TrainingInputs, callbacks: Callbacks, texts: int | None) -> None:
        self.run, self.callbacks, self.classifier = run, callbacks, classifier
        self.checkpoint = checkpoints.complete(run.work)
        self.state = State()
        self.best: Weights | None = None
        if self.checkpoint:
            self.state, self.best = checkpoints.read(self.checkpoint)
        self.texts = texts or self.state.batch or _micro_batch(run)
        self.state.batch = self.texts
        self._step = [0.0, 0.0, 0.0, 0.0]  # since the last step: objective, cross-entropy, texts, those that were right
        weights = class_weights(run.train.labels, len(run.names), run.recipe.class_weights)
        self.watcher = _Watcher(self)
        self.trainer = _Trainer(
            run.recipe,
            model=Trainee(classifier, run.recipe.dropout),
            args=_arguments(run, self.texts),
            train_dataset=Rows(len(run.train.labels)),
            data_collator=functools.partial(packed_batch, run.train.encoded, run.train.labels),
            compute_loss_func=functools.partial(self._loss, weights),
            callbacks=[self.watcher],
        )
        self.trainer.remove_callback(PrinterCallback)

    def go(self) -> State:
        """Train until the end, or the first epoch after which patience ends."""
        if not self.state.finished:
            self.trainer.train(resume_from_checkpoint=str(self.checkpoint) if self.checkpoint else None)
            if self.watcher.stopping and not self.state.finished:
                raise Interrupted(
                    f"interrupted after epoch {len(self.state.curves.epoch)}: the same command goes on from there"
                )
        elif self.checkpoint:
            self.trainer._load_from_checkpoint(str(self.checkpoint))
        if self.run.recipe.keep == "best" and self.best is not None:
            self.classifier.load_state_dict(self.best)
        self.classifier.eval()
        return self.state

    def _loss(
        self, weights: Tensor, logits: Tensor, labels: Tensor, num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        loss = loss_of(logits, labels, weights, self.run.recipe.label_smoothing)
        added = float(loss.detach())
        if not math.isfinite(added):
            raise OptionError(
                f"training diverged: the loss is {added} after {self.trainer.state.global_step:,} steps; lower "
                f"training.learning_rate, which is {self.run.recipe.learning_rate:g}, or check the base's weights"
            )
        with torch.no_grad():
            plain = float(torch.nn.functional.cross_entropy(logits.float(), labels, reduction="sum"))
            right = int((logits.argmax(1) == labels).sum())
        seen = (added, plain, len(labels), right)
        self._step = [before + one for before, one in zip(self._step, seen, strict=True)]
        return loss / (len(labels) if num_items_in_batch is None else num_items_in_batch)

    def end_step(self, stopping: bool) -> bool:
        """Add a step's sums, those of all processes, to the state; returns whether any of them is to stop."""
        objective, plain, texts, right, stops = _summed([*self._step, float(stopping)])
        self._step = [0.0, 0.0, 0.0, 0.0]
        state = self.state
        state.loss_sum += objective
        state.loss_texts += int(texts)
        state.epoch_loss += plain
        state.epoch_texts += int(texts)
        state.epoch_right += int(right)
        return stops > 0

    def end_epoch(self, epoch: float) -> None:
        """Measure the epoch's model, and keep it if it is the best so far."""
        state, curves = self.state, self.state.curves
        curves.epoch.append(round(epoch, 4))
        curves.train_loss.append(state.epoch_loss / max(1, state.epoch_texts))
        curves.train_accuracy.append(state.epoch_right / max(1, state.epoch_texts))
        state.epoch_loss, state.epoch_right, state.epoch_texts = 0.0, 0, 0
        words = f"epoch {len(curves.epoch)}: train accuracy {curves.train_accuracy[-1]:.3f}"
        if len(self.run.test.labels):
            test = _measured(self.classifier, self.run.test, self.run.names)
            curves.test_loss.append(test.log_loss)
            curves.test_accuracy.append(test.accuracy)
            words += f", test accuracy {test.accuracy:.3f}"
        if self.run.recipe.keep == "best":
            score = _measured(self.classifier, self.run.validation, self.run.names).macro_f1
            words += f", validation macro-F1 {score:.3f}"
            self._judge(score, len(curves.epoch))
        self.trainer.log({name: values[-1] for name, values in vars(curves).items() if "_" in name and values})
        self.callbacks.note(words)

    def _judge(self, score: float, epoch: int) -> None:
        state = self.state
        state.worse_epochs += 1
        if score > state.best_score:
            state.best_score, state.best_epoch, state.worse_epochs = score, epoch, 0
            self.best = {k: w.cpu().clone() for k, w in self.classifier.state_dict().items()}
        if self.run.recipe.patience and state.worse_epochs >= self.run.recipe.patience:
            state.finished = True


class _Trainer(transformers.Trainer):
    """The Trainer with our order of rows, parameter groups and schedule."""

    def __init__(self, recipe: TrainingRecipe, **given: Any) -> None:
        self._recipe = recipe
        super().__init__(**given)

    def _get_train_sampler(self, train_dataset: Any = None) -> Shuffled:
        return Shuffled(len(cast(Rows, train_dataset or self.train_dataset)), self._recipe.seed)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(parameter_groups(cast(Trainee, self.model), self._recipe))
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> torch.optim.lr_scheduler.LRScheduler:
        if self.lr_scheduler is None:
            share = functools.partial(rate_share, steps=num_training_steps, recipe=self._recipe)
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.create_optimizer(), share)
            self._created_lr_scheduler = True
        return self.lr_scheduler


class _Watcher(transformers.TrainerCallback):
    """Tells how far training is, ends epochs, asks for checkpoints."""

    def __init__(self, training: _Training) -> None:
        self.training = training
        self.progress = Progress(epochs=training.run.recipe.epochs)
        self.saved = time.monotonic()
        self.stopping = False  # any of the processes that train together

    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        self.training.callbacks.stop.started = True
        self.progress.steps = state.max_steps
        self.progress.step = self.progress.first_step = state.global_step
        self.steps_of_epoch = max(1, state.max_steps // self.progress.epochs)

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        ours, progress = self.training.state, self.progress
        self.stopping = self.training.end_step(self.training.callbacks.stop.stopping)
        progress.step, progress.epoch = state.global_step, state.epoch
        progress.learning_rate = others["lr_scheduler"].get_last_lr()[-1]
        progress.loss = ours.epoch_loss / max(1, ours.epoch_texts)
        if state.global_step % self.training.run.recipe.log_every == 0:
            ours.curves.step.append(state.global_step)
            ours.curves.loss.append(ours.loss_sum / max(1, ours.loss_texts))
            ours.curves.learning_rate.append(progress.learning_rate)
            ours.loss_sum, ours.loss_texts = 0.0, 0
        at_end = state.global_step % self.steps_of_epoch == 0  # the epoch's end is saved with what it came to
        if not at_end and (self.stopping or self._is_time(state.global_step)):
            control.should_save = True
        control.should_training_stop |= self.stopping
        self.training.callbacks.report(progress)

    def _is_time(self, step: int) -> bool:
        if _processes() > 1:
            return step % _CHECKPOINT_STEPS == 0
        return time.monotonic() - self.saved >= CHECKPOINT_SECONDS

    def on_epoch_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        if state.global_step % self.steps_of_epoch:
            return  # stopped in the middle
        self.training.end_epoch(state.epoch)
        ours = self.training.state
        ours.finished |= state.global_step >= state.max_steps
        control.should_save = True
        control.should_training_stop |= ours.finished or self.stopping

    def on_save(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        self.saved = time.monotonic()
        if torch.distributed.is_initialized():
            torch.distributed.barrier()  # each process writes its own random numbers
        if state.is_world_process_zero:
            checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            checkpoints.finish(checkpoint, self.training.state, self.training.best)


def _measured(classifier: Classifier, part: EncodedSplit, names: tuple[str, ...]):  # type: ignore[no-untyped-def]
    was_training = classifier.training
    classifier.eval()
    figures = evaluate(softmax(predict(classifier, part.encoded)), part.labels, names)
    classifier.train(was_training)
    return figures


def _arguments(run: TrainingInputs, texts: int) -> transformers.TrainingArguments:
    recipe = run.recipe
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    arguments = transformers.TrainingArguments(
        output_dir=str(run.work),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=texts,
        gradient_accumulation_steps=max(1, recipe.batch // (texts * _processes())),
        max_grad_norm=recipe.clip,
        bf16=run.bf16,
        use_cpu=run.device == "cpu",
        ddp_backend="gloo" if run.device == "cpu" and _processes() > 1 else None,
        ddp_find_unused_parameters=False,
        seed=recipe.seed,
        save_strategy="no",
        logging_strategy="steps",
        logging_steps=recipe.log_every,
        report_to=_trackers(),
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        label_names=["labels"],
    )
    arguments._n_gpu = min(1, arguments.n_gpu)  # several GPUs are for torchrun: packed batches cannot be scattered
    return arguments


def _trackers() -> list[str]:
    return ["tensorboard"] if hardware.is_installed("tensorboard") else []
