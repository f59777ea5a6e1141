"""Pre-train a small KoBERT encoder on unlabelled texts.

As in BERT (Devlin et al., 2019), the model predicts masked tokens. Two additions make the training faster:

- The initial word vectors are not random. They are computed from the positive pointwise mutual information of tokens
  (Levy and Goldberg, 2014).
- The model also predicts the ratings of the film reviews.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from emojob.pipeline.models.bert import BertShape, Classifier
from emojob.pipeline.models.tokenizer import Encoded
from emojob.pipeline.storage.atomic import draft
from emojob.training.default_model.batches import epochs, gather
from emojob.training.default_model.progress import Progress
from emojob.training.default_model.recipe import PretrainingRecipe

#: The number of masked tokens in a batch is rounded down to a multiple of 64, so the kernel cache stays small.
MASKED_STEP = 64


class Pretrainer(nn.Module):
    """Encoder with two heads for pre-training: a head for masked tokens and a head for ratings."""

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.body = Classifier(shape, labels=1)  # the only output is the rating
        self.transform = nn.Sequential(
            nn.Linear(shape.hidden_size, shape.hidden_size),
            nn.GELU(),
            nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps),
        )
        self.bias = nn.Parameter(torch.zeros(shape.vocab_size))

    def forward(self, ids: Tensor, masked_at: Tensor) -> tuple[Tensor, Tensor]:
        """Return (logits of the masked tokens [masked, vocab], logits of the ratings [rows]).

        Args:
            ids: int [rows, tokens], token ids after masking.
            masked_at: int64 [masked], positions of the masked tokens in the flattened `ids`.
        """
        hidden = self.body.encoder(ids)
        pooled = torch.tanh(self.body.pooler(hidden[:, 0]))
        transformed = self.transform(hidden.reshape(-1, hidden.shape[-1])[masked_at])
        return F.linear(transformed, self.body.encoder.words.weight, self.bias), self.body.head(pooled)[:, 0]


def first_word_vectors(encoded: Encoded, vocab_size: int, size: int, window: int) -> Tensor:
    """Compute initial word vectors (standard deviation 0.04) from the co-occurrence of tokens.

    Args:
        encoded: Token ids of the texts.
        vocab_size: Number of pieces in the vocabulary.
        size: Size of a word vector.
        window: Maximum distance between two tokens that are counted as a pair.

    Returns:
        float32 [vocab_size, size].
    """
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
    """Return a model with the given word vectors, random weights and zero biases.

    The random weights are normally distributed with standard deviation 0.02, as in BERT.

    Args:
        shape: Sizes of the model.
        vectors: Initial word vectors, float32 [vocab, hidden]. A zero vector is replaced by a random vector.
        seed: Random seed.
    """
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
    """Return the learning rate after `tokens` tokens.

    The schedule consists of cycles. Each cycle begins with a warm-up and ends with a decay to 0.
    """
    for cycle in recipe.cycles:
        if tokens < cycle:
            up = min(1.0, tokens / recipe.warmup) if recipe.warmup else 1.0
            down = min(1.0, (1 - tokens / cycle) / recipe.decay) if recipe.decay else 1.0
            return recipe.learning_rate * up * down
        tokens -= cycle
    return 0.0


def mask_tokens(
    ids: Tensor, recipe: PretrainingRecipe, mask_id: int, vocab_size: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Mask random tokens, but never [CLS] and [SEP].

    80% of the masked tokens become [MASK], 10% become a random token, and 10% stay unchanged.

    Args:
        ids: int [rows, tokens], token ids.
        recipe: The recipe. `recipe.masked` is the fraction of tokens to mask.
        mask_id: Id of [MASK].
        vocab_size: Number of pieces in the vocabulary.
        generator: Random number generator.

    Returns:
        (ids, positions). `ids` are the token ids after masking, [rows, tokens]. `positions` are the masked positions
        in the flattened ids, int64 [masked].
    """
    chance = torch.rand(ids.shape, generator=generator)
    chance[:, 0] = chance[:, -1] = 1.0
    masked_at = (chance < recipe.masked).reshape(-1).nonzero()[:, 0]
    if len(masked_at) > MASKED_STEP:
        masked_at = masked_at[: len(masked_at) // MASKED_STEP * MASKED_STEP]
    masked = ids.clone().reshape(-1)
    kind = torch.rand(len(masked_at), generator=generator)
    other = torch.randint(mask_id + 1, vocab_size, (len(masked_at),), generator=generator)
    masked[masked_at] = torch.where(kind < 0.8, mask_id, torch.where(kind < 0.9, other, masked[masked_at]))
    return masked.view(ids.shape), masked_at


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
    """Pre-train a model, or resume from the checkpoint. An interruption does not change the result.

    Args:
        encoded: Token ids of the texts.
        ratings: float32 [texts], ratings from 0 to 1. NaN: the text has no rating.
        shape: Sizes of the model.
        mask_id: Id of [MASK].
        recipe: Settings of the pre-training.
        checkpoint: Path of the checkpoint file.
        report: callback(line), called with the progress about every 30 seconds.
        device: cpu or cuda.
        seconds_between_checkpoints: Seconds between two checkpoints.

    Returns:
        The model, on the CPU.
    """
    run = _started(encoded, shape, recipe, checkpoint, device)
    if run.steps:
        report(f"resuming after {run.steps:,} steps and {run.tokens:,} tokens")
    progress = Progress(recipe.tokens, "tokens", report, done=run.tokens)
    stored_at = time.monotonic()
    generator = torch.Generator()
    for rows in itertools.islice(epochs(encoded.lengths, recipe.batch_tokens, recipe.seed), run.steps, None):
        if run.tokens >= recipe.tokens:
            break
        generator.manual_seed(recipe.seed * 1_000_003 + run.steps)
        ids = gather(encoded, rows)
        masked, masked_at = mask_tokens(ids, recipe, mask_id, shape.vocab_size, generator)
        token_loss, rating_loss = _losses(
            run.model, ids.to(device), masked.to(device), masked_at.to(device), ratings[rows]
        )
        run.step(token_loss + recipe.rating_weight * rating_loss, learning_rate_at(run.tokens, recipe))
        run.tokens += ids.numel()
        progress.add(ids.numel(), {"masked tokens": token_loss.item(), "rating": rating_loss.item()})
        if time.monotonic() - stored_at >= seconds_between_checkpoints:
            run.store(checkpoint)
            stored_at = time.monotonic()
    run.store(checkpoint)
    return run.model.cpu()


@dataclass
class _Run:
    """Content of the checkpoint: the model, the optimizer, and the numbers of finished steps and tokens."""

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
        with draft(checkpoint) as made:
            torch.save({**state, "steps": self.steps, "tokens": self.tokens}, cast(BinaryIO, made.sink))


def _started(encoded: Encoded, shape: BertShape, recipe: PretrainingRecipe, checkpoint: Path, device: str) -> _Run:
    """Load the run from the checkpoint. If there is no checkpoint, start a new run."""
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
    model: Pretrainer, ids: Tensor, masked: Tensor, masked_at: Tensor, ratings: NDArray[np.float32]
) -> tuple[Tensor, Tensor]:
    """Return (loss of the masked tokens, loss of the ratings)."""
    with torch.autocast(ids.device.type, dtype=torch.bfloat16):
        logits, rating_logits = model(masked, masked_at)
    # max(1, ...) avoids a division by 0 if a batch has no masked token
    labels = ids.reshape(-1)[masked_at]
    token_loss = F.cross_entropy(logits.float(), labels, reduction="sum") / max(1, len(masked_at))
    target = torch.from_numpy(ratings).to(ids.device)
    known = ~target.isnan()
    if not known.any():
        return token_loss, token_loss.new_zeros(())
    return token_loss, F.binary_cross_entropy_with_logits(rating_logits.float()[known], target[known])
