"""Token sequences of questions and answers, packed into rows without padding, and their loss.

A row holds several examples one after another. Position ids restart at 0 in each example. From this, transformers
builds an attention mask in which no example sees another, but only if the model keeps no KV cache.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from emojob.pipeline.replies.writing.sequence import Sequences

#: A pair for training: question, emotion, answer.
Triple = tuple[str, str, str]

#: A packed row: token ids [1, tokens], position ids [1, tokens], and the places [targets] whose next token is a target.
Row = tuple[Tensor, Tensor, Tensor]

_MEASURED_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Examples:
    """Token ids of examples: `<usr>` question `<unused1>` emotion `<sys>` answer `</s>`.

    Attributes:
        ids: int32 [tokens], the concatenated token ids.
        offsets: int64 [examples + 1]; example i is ids[offsets[i]:offsets[i + 1]].
        prompts: int64 [examples], number of ids of the prompt, which the loss ignores.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    prompts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.prompts)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of tokens of each example: int64 [examples]."""
        return np.diff(self.offsets)


def encode_examples(triples: Sequence[Triple], sequences: Sequences, most: int) -> Examples:
    """Return the token ids of pairs.

    Args:
        triples: Question, emotion and answer of each pair.
        sequences: Makes the token sequences.
        most: Maximum number of tokens of an example.
    """
    encoded = [sequences.example(question, emotion, answer, most) for question, emotion, answer in triples]
    lengths = np.array([len(ids) for ids, _ in encoded], np.int64)
    return Examples(
        np.fromiter(itertools.chain.from_iterable(ids for ids, _ in encoded), np.int32, int(lengths.sum())),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.array([prompt for _, prompt in encoded], np.int64),
    )


def pack_rows(lengths: Sequence[int], row_tokens: int) -> list[list[int]]:
    """Distribute examples over few rows: the longest example first, each into the first row with enough room.

    Args:
        lengths: Number of tokens of each example.
        row_tokens: Maximum number of tokens of a row. A longer example gets a row of its own.

    Returns:
        The positions in `lengths` of the examples of each row.
    """
    rows: list[list[int]] = []
    room: list[int] = []
    for example in sorted(range(len(lengths)), key=lambda one: (-lengths[one], one)):
        row = next((number for number, left in enumerate(room) if left >= lengths[example]), len(rows))
        if row == len(rows):
            rows.append([])
            room.append(row_tokens)
        rows[row].append(example)
        room[row] -= lengths[example]
    return rows


def packed_batch(examples: Examples, row_tokens: int, chosen: Sequence[int]) -> dict[str, Any]:
    """Return a batch: `rows`, the argument of `PackedLearner.forward`, and `labels`, int64 [targets].

    Args:
        examples: All examples.
        row_tokens: Maximum number of tokens of a row.
        chosen: Numbers of the examples in the batch.
    """
    packed = pack_rows([int(examples.lengths[one]) for one in chosen], row_tokens)
    made = [_row(examples, [chosen[place] for place in row]) for row in packed]
    return {"rows": [row for row, _ in made], "labels": torch.cat([labels for _, labels in made])}


def _row(examples: Examples, chosen: Sequence[int]) -> tuple[Row, Tensor]:
    """Return a packed row, and the targets: the token ids of the answers, int64 [targets]."""
    ids, positions, places, start = [], [], [], 0
    for one in chosen:
        example = examples.ids[examples.offsets[one] : examples.offsets[one + 1]]
        ids.append(example)
        positions.append(np.arange(len(example)))
        places.append(np.arange(start + examples.prompts[one] - 1, start + len(example) - 1))
        start += len(example)
    row, at = (torch.from_numpy(np.concatenate(parts).astype(np.int64)) for parts in (ids, places))
    return (row[None], torch.from_numpy(np.concatenate(positions))[None], at), row[at + 1]


class PackedLearner(nn.Module):
    """GPT-2 model that reads packed rows, and computes logits only where the next token is a target.

    Args:
        model: transformers.GPT2LMHeadModel whose output layer has the weights of the token embeddings. Training changes
            its weights.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.transformer = model.transformer
        self.train(model.training)

    def forward(self, rows: Sequence[Row]) -> Tensor:
        """Return the logits [targets, vocabulary], in the order of the labels of `packed_batch`."""
        hidden = [
            # with a KV cache, transformers would not look for several examples in a row
            self.transformer(input_ids=ids, position_ids=positions, use_cache=False).last_hidden_state[0, places]
            for ids, positions, places in rows
        ]
        return F.linear(torch.cat(hidden), self.transformer.wte.weight)


@dataclass(frozen=True)
class AnswerLoss:
    """Loss of a model on the answers of examples, with `</s>`.

    Attributes:
        tokens: Number of target tokens.
        loss: Mean cross-entropy of a target token. NaN without targets.
        accuracy: Share of the target tokens that the model ranks first. NaN without targets.
    """

    tokens: int
    loss: float
    accuracy: float

    @property
    def perplexity(self) -> float:
        """The perplexity on the answers."""
        return float(np.exp(min(self.loss, 700.0)))  # exp(710) is too large for a float


def measure_loss(
    learner: PackedLearner, examples: Examples, row_tokens: int, chosen: NDArray[np.int64] | None = None
) -> AnswerLoss:
    """Measure the loss of a model on examples, without dropout.

    Args:
        learner: The model; its training mode does not change.
        examples: All examples.
        row_tokens: Maximum number of tokens of a row.
        chosen: Numbers of the examples to measure; None: all.
    """
    numbers = list(range(len(examples))) if chosen is None else chosen.tolist()
    device = learner.transformer.wte.weight.device
    was_training = learner.training
    learner.eval()
    loss, right, tokens = 0.0, 0, 0
    with torch.inference_mode():
        for start in range(0, len(numbers), _MEASURED_AT_ONCE):
            batch = packed_batch(examples, row_tokens, numbers[start : start + _MEASURED_AT_ONCE])
            logits = learner([tuple(part.to(device) for part in row) for row in batch["rows"]]).float()
            labels = batch["labels"].to(device)
            loss += float(F.cross_entropy(logits, labels, reduction="sum"))
            right += int((logits.argmax(1) == labels).sum())
            tokens += len(labels)
    learner.train(was_training)
    return AnswerLoss(tokens, *((loss / tokens, right / tokens) if tokens else (float("nan"), float("nan"))))
