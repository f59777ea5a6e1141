"""Implements BERT's encoder and classifier, with a memory layout for fast inference.

`Classifier` returns the same logits as `transformers.BertForSequenceClassification` (Devlin et al., 2019). Only the
memory layout differs:

- The weights of queries, keys and values form one matrix.
- The texts of a batch are concatenated, and texts of the same length are next to each other. Therefore no text is
  padded or masked.

A model folder contains ordinary Hugging Face weights. `from_hf` and `to_hf` convert them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: A batch, divided into groups of texts of the same length. A group is (number of texts, tokens per text).
Groups = list[tuple[int, int]]

# Smallest number of queries per kernel call. With fewer queries, the last digits of fp32 results can depend on the
# memory address of the text.
_FEWEST_QUERIES = 8


class Bounds(NamedTuple):
    """Positions of the texts in a batch. The function `varlen_attention` needs them.

    Attributes:
        starts: int32 [texts + 1]. Text i consists of the tokens from starts[i] to starts[i + 1] - 1.
        longest: Number of tokens of the longest text.
    """

    starts: Tensor
    longest: int


@dataclass(frozen=True)
class BertShape:
    """Sizes of a BERT model, as in config.json."""

    vocab_size: int
    hidden_size: int
    layers: int
    heads: int
    intermediate_size: int
    max_positions: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    pad_id: int = 1


class Layer(nn.Module):
    """A transformer layer: attention, then a feed-forward network."""

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        hidden = shape.hidden_size
        self.heads = shape.heads
        self.up_applies_gelu = False
        self.matmul_dtype = torch.float32
        self.qkv: nn.Module = nn.Linear(hidden, 3 * hidden)
        self.attended: nn.Module = nn.Linear(hidden, hidden)
        self.attention_norm = nn.LayerNorm(hidden, eps=shape.layer_norm_eps)
        self.up: nn.Module = nn.Linear(hidden, shape.intermediate_size)
        self.down: nn.Module = nn.Linear(shape.intermediate_size, hidden)
        self.output_norm = nn.LayerNorm(hidden, eps=shape.layer_norm_eps)

    def forward(
        self,
        x: Tensor,
        groups: Groups,
        dropout: float = 0.0,
        firsts: Tensor | None = None,
        bounds: Bounds | None = None,
    ) -> Tensor:
        """Return the hidden states after this layer: [tokens, hidden], or [len(firsts), hidden] if `firsts` is given.

        A token attends only to tokens of the same text. The residual sums have the dtype of `x`, for example fp32
        while the matrix products are in bf16.

        Args:
            x: [tokens, hidden], hidden states of the texts. Texts of the same length are next to each other.
            groups: Groups of texts of the same length.
            dropout: Dropout probability; 0 for inference.
            firsts: int [rows], indexes of the tokens to compute: the first token of each text, then padding if needed.
                None: compute all tokens.
            bounds: If given, one kernel call computes the attention of all texts. `bounds` must contain one text of
                length 0 for each padding index in `firsts`.
        """
        qkv = self.qkv(x.to(self.matmul_dtype))
        if bounds is None:
            attended = self._attend_by_groups(qkv, groups, dropout, firsts)
        else:
            attended = self._attend_varlen(qkv, bounds, firsts)
        x = x if firsts is None else x[firsts]
        x = self.attention_norm(x + F.dropout(self.attended(attended), dropout, dropout > 0))
        raised = self.up(x.to(self.matmul_dtype))
        raised = raised if self.up_applies_gelu else F.gelu(raised)
        normed: Tensor = self.output_norm(x + F.dropout(self.down(raised), dropout, dropout > 0))
        return normed

    def _attend_by_groups(self, qkv: Tensor, groups: Groups, dropout: float, firsts: Tensor | None) -> Tensor:
        """Return the attention output, with one kernel call per group. `qkv` has the shape [tokens, 3 * hidden]."""
        states = len(qkv) if firsts is None else len(firsts)
        attended, start, row = qkv.new_zeros(states, qkv.shape[1] // 3), 0, 0
        for rows, length in groups:
            # view as [rows, length, 3, heads, size], then split into three views of [rows, heads, length, size]
            q, k, v = qkv[start : start + rows * length].view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            start, each = start + rows * length, length if firsts is None else 1
            output = _attention(q[:, :, : max(each, _FEWEST_QUERIES)], k, v, dropout)[:, :, :each]
            attended[row : row + rows * each] = output.transpose(1, 2).reshape(rows * each, -1)
            row += rows * each
        return attended

    def _attend_varlen(self, qkv: Tensor, bounds: Bounds, firsts: Tensor | None) -> Tensor:
        """Return the attention output, with one kernel call for all texts. The values in padding rows are undefined."""
        q, k, v = qkv.view(len(qkv), 3, self.heads, -1).unbind(1)
        starts, longest = bounds
        attend = cast(Callable[..., Tensor], varlen_attention())
        if firsts is None:
            return attend(q, k, v, starts, starts, longest, longest).flatten(1)
        one_each = torch.arange(len(starts), dtype=torch.int32, device=q.device)
        return attend(q[firsts], k, v, one_each, starts, 1, longest).flatten(1)

    def set_matmul_dtype(self, dtype: torch.dtype) -> None:
        """Compute the matrix products in `dtype`. The dtype of the layer's input and output does not change."""
        self.matmul_dtype = dtype
        for linear in (self.qkv, self.attended, self.up, self.down):
            linear.to(dtype)

    def pack(self, packed: Callable[[nn.Linear, str], nn.Module]) -> None:
        """Replace each linear layer with a faster layer that works only for inference.

        Args:
            packed: callback(linear layer, activation) that returns the faster layer. The faster layer also applies the
                activation ("none" or "gelu").
        """
        for name, activation in (("qkv", "none"), ("attended", "none"), ("up", "gelu"), ("down", "none")):
            linear = getattr(self, name)
            setattr(self, name, packed(linear, activation))
        self.up_applies_gelu = True


@cache
def varlen_attention() -> Callable[..., object] | None:
    """Return torch's GPU attention function for texts of different lengths; None if torch is older than 2.10.

    The function is imported on first use, because the import takes about one second.
    """
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return varlen_attn


def _attention(q: Tensor, k: Tensor, v: Tensor, dropout: float) -> Tensor:
    """Return scaled dot-product attention. All tensors have the shape [rows, heads, length, size]."""
    if not torch.is_grad_enabled() or q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
    # For training with short texts on a CPU, this code is up to nine times as fast as torch's fused kernel.
    weights = torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, -1, dtype=torch.float32).to(v.dtype)
    return F.dropout(weights, dropout, dropout > 0) @ v


class Encoder(nn.Module):
    """BERT's encoder: turns token ids into hidden states."""

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.words = nn.Embedding(shape.vocab_size, shape.hidden_size, padding_idx=shape.pad_id)
        self.positions = nn.Embedding(shape.max_positions, shape.hidden_size)
        self.segments = nn.Embedding(shape.type_vocab_size, shape.hidden_size)
        self.norm = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))

    def forward(self, ids: Tensor, segments: Tensor | None = None, dropout: float = 0.0) -> Tensor:
        """Return the hidden states, [rows, tokens, hidden]. All texts have the same length.

        Args:
            ids: int [rows, tokens], token ids.
            segments: int [rows, tokens], segment ids; None means segment 0 for all tokens.
            dropout: Dropout probability; 0 for inference.
        """
        rows, length = ids.shape
        positions = torch.arange(length, device=ids.device).repeat(rows)
        flat_segments = None if segments is None else segments.reshape(-1)
        x = self.packed(ids.reshape(-1), positions, [(rows, length)], flat_segments, dropout)
        return x.view(rows, length, -1)

    def packed(
        self,
        ids: Tensor,
        positions: Tensor,
        groups: Groups,
        segments: Tensor | None = None,
        dropout: float = 0.0,
        firsts: Tensor | None = None,
        bounds: Bounds | None = None,
    ) -> Tensor:
        """Return the hidden states of concatenated texts.

        Args:
            ids: int [tokens], token ids of the concatenated texts.
            positions: int [tokens], the position of each token in its text.
            groups: Groups of texts of the same length. Tokens after the last group are padding.
            segments: int [tokens], segment ids; None means segment 0 for all tokens.
            dropout: Dropout probability; 0 for inference.
            firsts: As in `Layer.forward`, for the last layer.
            bounds: As in `Layer.forward`.

        Returns:
            [tokens, hidden], or [len(firsts), hidden] if `firsts` is given.
        """
        x = self.words(ids) + self.positions(positions)
        x = x + (self.segments.weight[0] if segments is None else self.segments(segments))
        x = F.dropout(self.norm(x), dropout, dropout > 0)
        for layer in self.layers[:-1]:
            x = layer(x, groups, dropout, None, bounds)
        return cast(Tensor, self.layers[-1](x, groups, dropout, firsts, bounds))


class Classifier(nn.Module):
    """BERT's classifier: the encoder, a pooler for the [CLS] token, and a linear layer that returns the logits."""

    def __init__(self, shape: BertShape, labels: int) -> None:
        super().__init__()
        self.encoder = Encoder(shape)
        self.pooler = nn.Linear(shape.hidden_size, shape.hidden_size)
        self.head = nn.Linear(shape.hidden_size, labels)

    def pooled(self, ids: Tensor, segments: Tensor | None = None, dropout: float = 0.0) -> Tensor:
        """Return the pooled states, [rows, hidden]. Arguments: see `Encoder.forward`."""
        return torch.tanh(self.pooler(self.summary(self.encoder(ids, segments, dropout))))

    def summary(self, hidden: Tensor) -> Tensor:
        """Return the hidden states of the [CLS] tokens: [rows, hidden]. `hidden` is [rows, tokens, hidden]."""
        return hidden[:, 0]

    def forward(self, ids: Tensor, segments: Tensor | None = None) -> Tensor:
        """Return the logits, [rows, labels]. Arguments: see `Encoder.forward`."""
        logits: Tensor = self.head(self.pooled(ids, segments))
        return logits


_LAYER_NAMES = {
    "attended": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "output_norm": "output.LayerNorm",
}
_OTHER_NAMES = {
    "encoder.words": "bert.embeddings.word_embeddings",
    "encoder.positions": "bert.embeddings.position_embeddings",
    "encoder.segments": "bert.embeddings.token_type_embeddings",
    "encoder.norm": "bert.embeddings.LayerNorm",
    "pooler": "bert.pooler.dense",
    "head": "classifier",
}
_ATTENTION = ("query", "key", "value")


def from_hf(weights: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Convert the weights of a Hugging Face BertForSequenceClassification to the state dict of a `Classifier`.

    Args:
        weights: {Hugging Face name: weight}.
        layers: Number of transformer layers.

    Raises:
        KeyError: A weight is missing. The message is the Hugging Face name of the weight.
    """
    # in weights converted from TensorFlow, LayerNorm's vectors are named gamma and beta
    weights = {name.replace(".gamma", ".weight").replace(".beta", ".bias"): w for name, w in weights.items()}
    state = {}
    for kind in ("weight", "bias"):
        for ours, theirs in _OTHER_NAMES.items():
            if kind == "weight" or ours not in ("encoder.words", "encoder.positions", "encoder.segments"):
                state[f"{ours}.{kind}"] = weights[f"{theirs}.{kind}"]
        for i in range(layers):
            block = f"bert.encoder.layer.{i}"
            qkv = [weights[f"{block}.attention.self.{part}.{kind}"] for part in _ATTENTION]
            state[f"encoder.layers.{i}.qkv.{kind}"] = torch.cat(qkv)
            for ours, theirs in _LAYER_NAMES.items():
                state[f"encoder.layers.{i}.{ours}.{kind}"] = weights[f"{block}.{theirs}.{kind}"]
    return state


def to_hf(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convert the state dict of a `Classifier` to {Hugging Face name: weight}. This is the inverse of `from_hf`."""
    weights = {}
    for name, weight in state.items():
        ours, kind = name.rsplit(".", 1)
        if ours in _OTHER_NAMES:
            weights[f"{_OTHER_NAMES[ours]}.{kind}"] = weight
            continue
        _, _, layer, part = ours.split(".")
        block = f"bert.encoder.layer.{layer}"
        if part == "qkv":
            for one, slab in zip(_ATTENTION, weight.chunk(3), strict=True):
                weights[f"{block}.attention.self.{one}.{kind}"] = slab.contiguous()
        else:
            weights[f"{block}.{_LAYER_NAMES[part]}.{kind}"] = weight
    return weights
