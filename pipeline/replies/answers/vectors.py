"""Turns texts into vectors with the encoder of a model. Texts with a similar meaning have vectors with a high cosine.

A vector has two blocks. The first block is the mean of the text's hidden states in a few layers, multiplied by a
fitted matrix and normalised. Frequent tokens have a low weight in the mean. In plain means of hidden states, a few
directions dominate, and all texts are similar. Therefore the matrix whitens the means (Su et al., 2021: "Whitening
Sentence Representations"). If the groups of the texts are known, the matrix also reduces the differences within the
groups (linear discriminant analysis).

The second block is the vector of the character n-grams (see `characters`). It knows words that the encoder does not
know, such as names of products. The cosine of two vectors is the weighted mean of the cosines of both blocks. So one
matrix product searches with both.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save
from torch import Tensor

from emojob.pipeline.inference.batching import pack, token_batches
from emojob.pipeline.models.bert import BertShape, Classifier
from emojob.pipeline.models.tokenizer import Encoded, Tokenizer
from emojob.pipeline.replies.answers import characters
from emojob.pipeline.replies.way_folders import repair
from emojob.pipeline.storage import atomic
from emojob.schemas.errors import ModelError

FILE = "vectors.safetensors"
MAX_LENGTH = 64  # tokens, with [CLS] and [SEP]

#: Maximum number of dimensions of the block of hidden states.
SIZE = 256

# Weight of the cosine of the character n-grams, against 1 for the cosine of the hidden states. Values from 0.5 to 1
# find about the same share of answers (`tests/benchmarks/replies/question_retrieval.py`).
_CHARACTERS_WEIGHT = 0.7

#: At least MAX_LENGTH.
_BATCH_TOKENS = 256
_TEXTS = 2048  # number of texts that are encoded at a time
_ROWS = 64  # number of rows in a product with the matrix
_MOST_FITTED = 20_000  # number of texts, because the fit needs their means in memory

# Settings of the fit; see `_fitted`.
_LEAST_TOTAL = 0.3
_RIDGE = 0.01


class HasEncoder(Protocol):
    """A model with a BERT encoder: a loaded model folder, or the base model of a training."""

    @property
    def classifier(self) -> Classifier: ...

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def shape(self) -> BertShape: ...


class TextEncoder:
    """Turns texts into normalised vectors.

    Attributes:
        size: Number of dimensions of a vector.
        states_size: Number of dimensions of the first block, which comes from the hidden states.
    """

    def __init__(self, model: HasEncoder, values: dict[str, NDArray[np.float32]]) -> None:
        """Use fitted values.

        Args:
            model: The model with which the values were fitted.
            values: `weights` float32 [vocabulary], weight of each token; `mean` float32 [layers * hidden];
                `matrix` float32 [layers * hidden, states_size]; `characters` float32 [characters.BUCKETS], weight of
                the character n-grams.
        """
        self._model, self._values = model, values
        self._weights = torch.from_numpy(values["weights"])
        self.states_size = values["matrix"].shape[1]
        self.size = self.states_size + characters.SIZE

    @classmethod
    def fit(
        cls, model: HasEncoder, texts: Sequence[str], groups: NDArray[np.integer] | None = None, size: int = SIZE
    ) -> tuple[TextEncoder, NDArray[np.float32]]:
        """Fit the weights of the tokens and of the n-grams, and the matrix.

        Args:
            model: The model with the encoder.
            texts: Texts such as those that are encoded later; the more, the better.
            groups: int [texts], group of each text. Texts of the same group get more similar vectors. None: unknown.
            size: Maximum number of dimensions of the block of hidden states. There are fewer if there are fewer texts
                or hidden states.

        Returns:
            The encoder, and the vectors that it gives for `texts`: float32 [texts, size].
        """
        chosen = np.arange(len(texts))
        if len(texts) > _MOST_FITTED:
            chosen = np.linspace(0, len(texts) - 1, _MOST_FITTED).astype(np.int64)
        some = [texts[i] for i in chosen.tolist()]
        encoded = model.tokenizer.encode(some, _max_length(model))
        weights = _token_weights(encoded, model.shape.vocab_size)
        means = _means(model, encoded, torch.from_numpy(weights))
        filled = np.flatnonzero(encoded.lengths > 2)
        group_numbers = np.arange(len(texts)) if groups is None else np.asarray(groups)
        mean, matrix = _fitted(means[filled], group_numbers[chosen][filled], size)
        grams = characters.fit_weights(texts)
        encoder = cls(model, {"weights": weights, "mean": mean, "matrix": matrix, "characters": grams})
        if len(some) < len(texts):
            return encoder, encoder.encode(texts)
        return encoder, encoder._vectors(some, means, encoded.lengths > 2)

    @classmethod
    def load(cls, folder: Path, model: HasEncoder) -> TextEncoder:
        """Load what `save` wrote.

        Args:
            folder: The folder that was given to `save`.
            model: The model with which the values were fitted.

        Raises:
            ModelError: The file is missing or damaged, or was fitted with another model.
        """
        path = folder / FILE
        try:
            values = load_file(path)
        except (OSError, SafetensorError, ValueError) as error:
            raise ModelError(f"{path} is damaged, because it cannot be read ({error}): {repair(folder)}") from error
        states = len(_layers(model.shape)) * model.shape.hidden_size
        wanted = {
            "weights": (model.shape.vocab_size,), "mean": (states,), "matrix": (states,),
            "characters": (characters.BUCKETS,),
        }  # fmt: skip
        for name, shape in wanted.items():
            given = values[name].shape[: len(shape)] if name in values else "no numbers"
            if given != shape:
                raise ModelError(
                    f"{path} was made with another model: {name} has {given}, but the model needs {shape}: "
                    f"{repair(folder)}"
                )
        return cls(model, values)

    def save(self, folder: Path) -> None:
        """Write the fitted values into an existing folder. The model is not saved."""
        atomic.write_bytes(folder / FILE, self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the content of the file that `save` writes."""
        content: bytes = save(self._values, {"format": "np"})
        return content

    def encode(self, texts: Sequence[str | None]) -> NDArray[np.float32]:
        """Return the vectors of texts.

        The vector of a text does not depend on the other texts: all products are computed with the same sizes.

        Returns:
            float32 [texts, size]. Each vector has the length 1; the vector of a text without tokens is zero.
        """
        vectors = np.zeros((len(texts), self.size), np.float32)
        for start in range(0, len(texts), _TEXTS):
            some = list(texts[start : start + _TEXTS])
            encoded = self._model.tokenizer.encode(some, _max_length(self._model))
            means = _means(self._model, encoded, self._weights)
            vectors[start : start + _TEXTS] = self._vectors(some, means, encoded.lengths > 2)
        return vectors

    def _vectors(
        self, texts: Sequence[str | None], means: NDArray[np.float32], has_tokens: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Return the vectors of texts whose means of hidden states are known: float32 [texts, size]."""
        mean, matrix = self._values["mean"], torch.from_numpy(self._values["matrix"])
        states = np.zeros((len(texts), self.states_size), np.float32)
        for row in range(0, len(texts), _ROWS):
            block = np.zeros((_ROWS, len(mean)), np.float32)
            block[: len(texts) - row] = means[row : row + _ROWS] - mean
            states[row : row + _ROWS] = (torch.from_numpy(block) @ matrix).numpy()[: len(texts) - row]
        states /= np.maximum(np.linalg.norm(states, axis=1, keepdims=True), 1e-12)
        grams = characters.vectors(texts, self._values["characters"])
        share = _CHARACTERS_WEIGHT / (1 + _CHARACTERS_WEIGHT)
        vectors = np.concatenate([states * np.sqrt(1 - share), grams * np.sqrt(share)], axis=1, dtype=np.float32)
        vectors[~has_tokens] = 0
        return vectors


def _max_length(model: HasEncoder) -> int:
    return min(MAX_LENGTH, model.shape.max_positions)


def _layers(shape: BertShape) -> tuple[int, ...]:
    """Return the numbers of the layers whose states are used; 0 is the output of the embeddings."""
    return tuple(sorted({0, shape.layers // 3, 2 * shape.layers // 3}))


def _token_weights(encoded: Encoded, vocab_size: int) -> NDArray[np.float32]:
    """Return the weight of each token, float32 [vocab_size]: the logarithm of how rare the token is in the texts."""
    rows = np.repeat(np.arange(len(encoded)), encoded.lengths)
    _, ids = np.unique(np.stack([rows, encoded.ids]), axis=1)
    counts = np.bincount(ids, minlength=vocab_size)
    return np.log1p(len(encoded) / (1.0 + counts)).astype(np.float32)


def _means(model: HasEncoder, encoded: Encoded, weights: Tensor) -> NDArray[np.float32]:
    """Return weighted means of hidden states, without [CLS] and [SEP]: float32 [texts, layers * hidden].

    The means of a text without tokens are 0.
    """
    layers = _layers(model.shape)
    means = torch.zeros(len(encoded), len(layers), model.shape.hidden_size)
    with torch.inference_mode():
        for rows in token_batches(encoded.lengths, _BATCH_TOKENS):
            batch = pack(encoded, rows, _BATCH_TOKENS)
            # the same size for all batches, because fp32 sums can be rounded differently if the size differs
            room = max(0, _BATCH_TOKENS - len(batch.ids))
            ids, positions = (torch.from_numpy(np.pad(array, (0, room))) for array in (batch.ids, batch.positions))
            for number, states in enumerate(_states(model.classifier, ids, positions, batch.groups, layers)):
                start, row = 0, 0
                for count, length in batch.groups:
                    at = slice(start, start + count * length)
                    inner = states[at].view(count, length, -1)[:, 1:-1]
                    each = weights[ids[at]].view(count, length, 1)[:, 1:-1]
                    total = each.sum(1).clamp_min(1e-9)
                    means[rows[row : row + count], number] = (inner * each).sum(1) / total
                    start, row = start + count * length, row + count
    return means.flatten(1).numpy()


def _states(
    classifier: Classifier, ids: Tensor, positions: Tensor, groups: list[tuple[int, int]], layers: tuple[int, ...]
) -> list[Tensor]:
    """Return the hidden states of a packed batch after each of `layers`: [tokens, hidden] each."""
    encoder = classifier.encoder
    x = encoder.norm(encoder.words(ids) + encoder.positions(positions) + encoder.segments.weight[0])
    states = [x]
    for layer in encoder.layers[: layers[-1]]:
        x = layer(x, groups)
        states.append(x)
    return [states[number] for number in layers]


def _fitted(
    means: NDArray[np.float32], groups: NDArray[np.integer], size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the mean, and the matrix that makes the differences that do not matter small.

    What does not matter is the covariance within groups, mixed with the covariance of all texts: the fewer texts share
    a group, the less is known about the former. `_RIDGE` keeps directions in which the texts hardly differ from being
    enlarged without bounds, so that a few texts suffice.

    Args:
        means: float32 [texts, states].
        groups: int [texts].
        size: Maximum number of columns of the matrix.
    """
    texts, states = means.shape
    mean = means.mean(0) if texts else np.zeros(states, np.float32)
    centred = (means - mean).astype(np.float64)
    basis = np.eye(states)
    if texts < states:  # outside of the span of the texts, there is nothing to fit
        basis, _ = np.linalg.qr(centred.T)
        centred = centred @ basis
    total = centred.T @ centred / max(1, texts)
    within, freedom = _within(centred, groups)
    share = max(_LEAST_TOTAL, states / (states + freedom))
    noise = (1 - share) * within + share * total
    noise[np.diag_indices(len(noise))] += _RIDGE * np.trace(total) / states + 1e-9
    # directions with the largest ratio of the total covariance to the noise: eigenvectors after whitening by Cholesky
    whitening = np.linalg.inv(np.linalg.cholesky(noise))
    _, vectors = np.linalg.eigh(whitening @ total @ whitening.T)
    matrix = basis @ whitening.T @ vectors[:, ::-1][:, : max(1, min(size, texts - 1))]
    return mean, np.ascontiguousarray(matrix, np.float32)


def _within(centred: NDArray[np.float64], groups: NDArray[np.integer]) -> tuple[NDArray[np.float64], int]:
    """Return the covariance within groups, float64 [states, states], and its number of degrees of freedom."""
    _, numbers, counts = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.argsort(numbers, kind="stable")
    sums = np.add.reduceat(centred[order], np.cumsum(counts) - counts) if len(counts) else centred[:0]
    rows = np.flatnonzero(counts[numbers] > 1)
    differences = centred[rows] - sums[numbers[rows]] / counts[numbers[rows], None]
    freedom = len(rows) - int((counts > 1).sum())
    return differences.T @ differences / max(1, freedom), freedom
