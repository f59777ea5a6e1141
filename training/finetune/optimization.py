"""The Trainer of transformers with emojob's optimizer and learning-rate schedule."""

from __future__ import annotations

import functools
import math
import re
from typing import Any, cast

import torch
import transformers
from torch import nn

from emojob.training.finetune.distributed import process_count
from emojob.training.finetune.learner import Learner, RowNumbers, ShuffledRows
from emojob.training.finetune.recipe import TrainingRecipe
from emojob.training.finetune.watch import TrainerInputs


class HfTrainer(transformers.Trainer):
    """Trainer of transformers with emojob's shuffling, parameter groups and learning-rate schedule."""

    def __init__(self, recipe: TrainingRecipe, **options: Any) -> None:
        self._recipe = recipe
        super().__init__(**options)

    def log(self, logs: dict[str, float], *others: Any, **more: Any) -> None:
        """Log values. The summary of the Trainer is left out, because its mean loss has a similar name as a curve."""
        if "train_runtime" not in logs:
            super().log(logs, *others, **more)

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


def training_arguments(inputs: TrainerInputs, micro_batch: int) -> transformers.TrainingArguments:
    """Return the arguments of the Trainer for a run.

    Args:
        inputs: Inputs of the run.
        micro_batch: Number of texts in a forward pass of one process. Gradients are accumulated until the batch size of
            the recipe is reached.
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
        report_to=inputs.report_to,
        run_name=inputs.work.parent.resolve().name,
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        label_names=["labels"],
    )
    arguments._n_gpu = min(1, arguments.n_gpu)  # use one GPU, because DataParallel cannot split packed batches
    return arguments


def parameter_groups(learner: Learner, recipe: TrainingRecipe) -> list[dict[str, object]]:
    """Return the parameter groups for AdamW. Biases and LayerNorm have no weight decay.

    The learning rate decreases from the head to the embeddings:

    - head and pooler: `learning_rate`
    - top layer: `learning_rate` * `layer_decay`
    - next layer: `learning_rate` * `layer_decay`²
    """
    layers = len(learner.classifier.encoder.layers)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in learner.named_parameters():
        rate = recipe.learning_rate * recipe.layer_decay ** _depth_below_head(name, layers)
        is_decayed = not (name.endswith("bias") or "norm" in name)
        groups.setdefault((rate, recipe.weight_decay if is_decayed else 0.0), []).append(parameter)
    return [{"params": parameters, "lr": rate, "weight_decay": decay} for (rate, decay), parameters in groups.items()]


def _depth_below_head(name: str, layers: int) -> int:
    """Return 0 for the head and the pooler, 1 for the top layer, and `layers` + 1 for the embeddings."""
    layer = re.search(r"encoder\.layers\.(\d+)\.", name)
    if layer:
        return layers - int(layer[1])
    return layers + 1 if "encoder." in name else 0


def learning_rate_factor(step: int, steps: int, recipe: TrainingRecipe) -> float:
    """Return the learning-rate factor (0 to 1): linear warm-up, then the schedule of the recipe.

    Args:
        step: Number of the step; the first step is 0.
        steps: Number of all steps.
        recipe: The recipe with `warmup` and `schedule`.
    """
    warmup = int(recipe.warmup * steps)
    if step < warmup:
        return step / max(1, warmup)
    done = (step - warmup) / max(1, steps - warmup)
    if recipe.schedule == "constant":
        return 1.0
    return max(0.0, 1 - done) if recipe.schedule == "linear" else max(0.0, 0.5 * (1 + math.cos(math.pi * done)))
