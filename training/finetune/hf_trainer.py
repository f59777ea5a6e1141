"""The Trainer of transformers, changed for emojob: order of texts, parameter groups, learning-rate schedule."""

from __future__ import annotations

import functools
from typing import Any, cast

import torch
import transformers

from emojob.pipeline.system import hardware
from emojob.training.finetune.distributed import process_count
from emojob.training.finetune.learner import Learner, RowNumbers, ShuffledRows, learning_rate_factor, parameter_groups
from emojob.training.finetune.recipe import TrainingRecipe
from emojob.training.finetune.watch import TrainingInputs


class HfTrainer(transformers.Trainer):
    """The Trainer with emojob's order of texts, parameter groups and learning-rate schedule."""

    def __init__(self, recipe: TrainingRecipe, **options: Any) -> None:
        self._recipe = recipe
        super().__init__(**options)

    def _get_train_sampler(self, train_dataset: Any = None) -> ShuffledRows:
        return ShuffledRows(len(cast(RowNumbers, train_dataset or self.train_dataset)), self._recipe.seed)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        if self.optimizer is None:
            self.optimizer = torch.optim.AdamW(parameter_groups(cast(Learner, self.model), self._recipe))
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> torch.optim.lr_scheduler.LRScheduler:
        if self.lr_scheduler is None:
            factor = functools.partial(learning_rate_factor, steps=num_training_steps, recipe=self._recipe)
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.create_optimizer(), factor)
            self._created_lr_scheduler = True
        return self.lr_scheduler


def training_arguments(inputs: TrainingInputs, micro_batch: int) -> transformers.TrainingArguments:
    """Return the arguments of the Trainer for a run.

    Args:
        inputs: Inputs of the run, with recipe, device and work folder.
        micro_batch: Number of texts in a forward pass of one process. Gradients are accumulated over several passes
            until the batch size of the recipe is reached.
    """
    recipe = inputs.recipe
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    arguments = transformers.TrainingArguments(
        output_dir=str(inputs.work),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=micro_batch,
        gradient_accumulation_steps=max(1, recipe.batch // (micro_batch * process_count())),
        max_grad_norm=recipe.clip,
        bf16=inputs.bf16,
        use_cpu=inputs.device == "cpu",
        ddp_backend="gloo" if inputs.device == "cpu" and process_count() > 1 else None,
        ddp_find_unused_parameters=False,
        seed=recipe.seed,
        save_strategy="no",
        logging_strategy="steps",
        logging_steps=recipe.log_every,
        report_to=["tensorboard"] if hardware.is_installed("tensorboard") else [],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        label_names=["labels"],
    )
    arguments._n_gpu = min(1, arguments.n_gpu)  # several GPUs need torchrun: DataParallel cannot split packed batches
    return arguments
