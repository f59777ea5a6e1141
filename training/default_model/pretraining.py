"""Masked-language pre-training of a small KoBERT-shaped encoder on plain texts.

As in BERT (Devlin et al., 2019): a share of the tokens is hidden and guessed from the rest. Two things make it
go further in little time: the word vectors do not start at random but from the positive pointwise mutual
information of the corpus (Levy and Goldberg, 2014), and where a text carries a rating, the pooled vector learns it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from emojob.pipeline.models.bert import BertShape, Classifier
from emojob.pipeline.models.tokenizer import Encoded
from emojob.pipeline.storage.atomic import commit, temporary_path
from emojob.training.default_model.batches import epochs, gather
from emojob.training.default_model.progress import Progress
from emojob.training.default_model.recipe import PretrainingRecipe

#: The number of tokens that are guessed at a time is a multiple of it: each new size costs the kernels' cache memory.
MASKED_STEP = 64


class Pretrainer(nn.Module):
    """The classifier's body with the two heads that pre-training needs."""

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.body = Classifier(shape, labels=1)  # its one label is the rating
        self.transform = nn.Sequential(
            nn.Linear(shape.hidden_size, shape.hidden_size),
            nn.GELU(),
            nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps),
        )
        self.bias = nn.Parameter(torch.zeros(shape.vocab_size))

    def forward(self, ids: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
        """ids: int [rows, tokens]; at: flat positions [masked] -> logits [masked, vocab], rating logits [rows]."""
        hidden = self.body.encoder(ids)
        pooled = torch.tanh(self.body.pooler(hidden[:, 0]))
        guessed = self.transform(hidden.reshape(-1, hidden.shape[-1])[at])
        return F.linear(guessed, self.body.encoder.words.weight, self.bias), self.body.head(pooled)[:, 0]


def first_word_vectors(encoded: Encoded, vocab_size: int, size: int, window: int) -> Tensor:
    """Word vectors float32 [vocab, size] from which tokens stand near which, scaled to BERT's usual spread."""
    counts = np.zeros(vocab_size * vocab_size, np.float32)
    row_of = np.repeat(np.arange(len(encoded)), encoded.lengths)
    for distance in range(1, window + 1):
        same_row = row_of[distance:] == row_of[:-distance]
        left = encoded.ids[:-distance][same_row].astype(np.int64)
        right = encoded.ids[distance:][same_row].astype(np.int64)
        counts += np.bincount(left * vocab_size + right, minlength=len(counts)) / distance
    table = torch.from_numpy(counts.reshape(vocab_size, vocab_size))
    table = table + table.T
    seen = table.sum(1)
    expected = seen[:, None] * (seen.pow(0.75) / seen.pow(0.75).sum())[None, :]
    information = torch.log(table / expected.clamp_min(1e-9)).clamp_min_(0).nan_to_num_(0, 0, 0)
    torch.manual_seed(0)
    u, s, _ = torch.svd_lowrank(information, q=size, niter=3)
    vectors = u * s.sqrt()
    return vectors * (0.04 / vectors.std())


def initial(shape: BertShape, vectors: Tensor, seed: int) -> Pretrainer:
    """A model with BERT's initial weights (normal, 0.02) and the given word vectors."""
    torch.manual_seed(seed)
    model = Pretrainer(shape)
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
    with torch.no_grad():
        words = model.body.encoder.words.weight
        words.copy_(torch.where(vectors.abs().sum(1, keepdim=True) > 0, vectors, words))
    return model


def learning_rate_at(tokens: int, recipe: PretrainingRecipe) -> float:
    """The learning rate after so many tokens: in each cycle warm-up, plateau, linear decay to 0."""
    for cycle in recipe.cycles:
        if tokens < cycle:
            up = min(1.0, tokens / recipe.warmup) if recipe.warmup else 1.0
            down = min(1.0, (1 - tokens / cycle) / recipe.decay) if recipe.decay else 1.0
            return recipe.learning_rate * up * down
        tokens -= cycle
    return 0.0


def hide(
    ids: Tensor, recipe: PretrainingRecipe, mask_id: int, vocab_size: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Hide a share of the tokens between [CLS] and [SEP]: 80% by [MASK], 10% by another token, 10% left.

    ids: int [rows, tokens] -> the same with tokens hidden, and the flat positions that are to be guessed.
    """
    chance = torch.rand(ids.shape, generator=generator)
    chance[:, 0] = chance[:, -1] = 1.0
    at = (chance < recipe.masked).reshape(-1).nonzero()[:, 0]
    if len(at) > MASKED_STEP:
        at = at[: len(at) // MASKED_STEP * MASKED_STEP]
    hidden = ids.clone().reshape(-1)
    kind = torch.rand(len(at), generator=generator)
    other = torch.randint(mask_id + 1, vocab_size, (len(at),), generator=generator)
    hidden[at] = torch.where(kind < 0.8, mask_id, torch.where(kind < 0.9, other, hidden[at]))
    return hidden.view(ids.shape), at


def pretrain(
    encoded: Encoded,
    ratings: NDArray[np.float32],
    shape: BertShape,
    mask_id: int,
    recipe: PretrainingRecipe,
    checkpoint: Path,
    report: Callable[[str], None],
    device: str = "cpu",
    seconds_between_checkpoints: float = 300,
) -> Pretrainer:
    """Pre-train, going on from `checkpoint` where it exists; what was interrupted equals what was not.

    encoded: the corpus; ratings: float32 [rows] in 0..1, NaN where a text has none. `report` is called with a
    line of progress about every half minute. Returns the model on the CPU.
    """
    run = _started(encoded, shape, recipe, checkpoint, device)
    if run.steps:
        report(f"going on from step {run.steps:,}, {run.tokens:,} tokens")
    progress = Progress(recipe.tokens, "tokens", report, done=run.tokens)
    stored = time.monotonic()
    generator = torch.Generator()
    for rows in itertools.islice(epochs(encoded.lengths, recipe.batch_tokens, recipe.seed), run.steps, None):
        if run.tokens >= recipe.tokens:
            break
        generator.manual_seed(recipe.seed * 1_000_003 + run.steps)
        ids = gather(encoded, rows)
        hidden, at = hide(ids, recipe, mask_id, shape.vocab_size, generator)
        masked, rating = _losses(run.model, ids.to(device), hidden.to(device), at.to(device), ratings[rows])
        run.step(masked + recipe.rating_weight * rating, learning_rate_at(run.tokens, recipe))
        run.tokens += ids.numel()
        progress.add(ids.numel(), {"masked tokens": masked.item(), "rating": rating.item()})
        if time.monotonic() - stored >= seconds_between_checkpoints:
            run.store(checkpoint)
            stored = time.monotonic()
    run.store(checkpoint)
    return run.model.cpu()


@dataclass
class _Run:
    """What a checkpoint holds: the model, the optimizer, and how far they are."""

    model: Pretrainer
    optimizer: torch.optim.Optimizer
    steps: int = 0
    tokens: int = 0

    def step(self, loss: Tensor, learning_rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.steps += 1

    def store(self, checkpoint: Path) -> None:
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save({**state, "steps": self.steps, "tokens": self.tokens}, temporary_path(checkpoint))
        commit(temporary_path(checkpoint), checkpoint)


def _started(encoded: Encoded, shape: BertShape, recipe: PretrainingRecipe, checkpoint: Path, device: str) -> _Run:
    """A new run, or the one that `checkpoint` holds."""
    saved = torch.load(checkpoint, weights_only=True) if checkpoint.exists() else None
    size = shape.vocab_size, shape.hidden_size
    vectors = torch.zeros(size) if saved else first_word_vectors(encoded, *size, recipe.window)
    model = initial(shape, vectors, recipe.seed).to(device)
    run = _Run(model, torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=recipe.weight_decay))
    if saved:
        run.model.load_state_dict(saved["model"])
        run.optimizer.load_state_dict(saved["optimizer"])
        run.steps, run.tokens = saved["steps"], saved["tokens"]
    return run


def _losses(
    model: Pretrainer, ids: Tensor, hidden: Tensor, at: Tensor, ratings: NDArray[np.float32]
) -> tuple[Tensor, Tensor]:
    with torch.autocast(ids.device.type, dtype=torch.bfloat16):
        logits, rated = model(hidden, at)
    # a batch of very short texts may have nothing hidden: then the loss is 0, not 0 / 0
    masked = F.cross_entropy(logits.float(), ids.reshape(-1)[at], reduction="sum") / max(1, len(at))
    target = torch.from_numpy(ratings).to(ids.device)
    known = ~target.isnan()
    if not known.any():
        return masked, masked.new_zeros(())
    return masked, F.binary_cross_entropy_with_logits(rated.float()[known], target[known])
