"""BERT's encoder and classifier, with the layout that is fastest to run.

The arithmetic is that of `transformers.BertForSequenceClassification` (Devlin et al., 2019); what differs is
where the weights and the tokens lie: query, key and value are one matrix, and the tokens of a batch stand one behind
the other, texts of one length together, so that nothing is padded and nothing masked.
`from_hf` and `to_hf` translate the names of the weights, so a model folder stays an ordinary Hugging Face one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Groups = list[tuple[int, int]]


# With fewer, the fp32 kernels round one way or another by where in memory a text lies.
_FEWEST_QUERIES = 8


class Bounds(NamedTuple):
    """Where the texts lie among a batch's tokens, for attention within all of them at once.

    begins: int32 [texts + 1], where each begins and the last one ends; longest: tokens of the longest one.
    """

    begins: Tensor
    longest: int


@dataclass(frozen=True)
class BertShape:
    """The sizes of a BERT model, read from its config.json."""

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
    """One transformer block: attention and feed-forward, each followed by its residual and LayerNorm."""

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        hidden = shape.hidden_size
        self.heads = shape.heads
        self.gelu_within_up = False
        self.products_in = torch.float32
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
        """x: [tokens, hidden], texts one after the other, those of one length together -> the same shape.

        Attention stays within each text; everything else is done for all tokens at once. Where the matrix products
        are in 16 bits, x need not be: what the layers add up to would be rounded at each of them.
        firsts: int [rows], where each text begins, then any other tokens; with it, only these tokens' states are
        worked out, [len(firsts), hidden]. bounds: for attention within all texts at once; with `firsts`, of as many
        texts as those are, the last ones without a token.
        """
        qkv = self.qkv(x.to(self.products_in))
        if bounds is None:
            attended = self._attend_by_groups(qkv, groups, dropout, firsts)
        else:
            attended = self._attend_at_once(qkv, bounds, firsts)
        x = x if firsts is None else x[firsts]
        x = self.attention_norm(x + F.dropout(self.attended(attended), dropout, dropout > 0))
        raised = self.up(x.to(self.products_in))
        raised = raised if self.gelu_within_up else F.gelu(raised)
        normed: Tensor = self.output_norm(x + F.dropout(self.down(raised), dropout, dropout > 0))
        return normed

    def _attend_by_groups(self, qkv: Tensor, groups: Groups, dropout: float, firsts: Tensor | None) -> Tensor:
        """[tokens, 3 hidden] -> [tokens, hidden], or [len(firsts), hidden]: texts of one length together."""
        states = len(qkv) if firsts is None else len(firsts)
        attended, start, row = qkv.new_zeros(states, qkv.shape[1] // 3), 0, 0
        for rows, length in groups:
            # a view of [rows, length, 3, heads, size] -> three of [rows, heads, length, size]
            q, k, v = qkv[start : start + rows * length].view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            start, each = start + rows * length, length if firsts is None else 1
            within = _attention(q[:, :, : max(each, _FEWEST_QUERIES)], k, v, dropout)[:, :, :each]
            attended[row : row + rows * each] = within.transpose(1, 2).reshape(rows * each, -1)
            row += rows * each
        return attended

    def _attend_at_once(self, qkv: Tensor, bounds: Bounds, firsts: Tensor | None) -> Tensor:
        """The same in one go. What comes out for padding means nothing."""
        q, k, v = qkv.view(len(qkv), 3, self.heads, -1).unbind(1)
        begins, longest = bounds
        attend = cast(Callable[..., Tensor], attention_at_once())
        if firsts is None:
            return attend(q, k, v, begins, begins, longest, longest).flatten(1)
        one_each = torch.arange(len(begins), dtype=torch.int32, device=q.device)
        return attend(q[firsts], k, v, one_each, begins, 1, longest).flatten(1)

    def multiply_in(self, dtype: torch.dtype) -> None:
        """Do the matrix products in `dtype`; what goes in and comes out stays as it is."""
        self.products_in = dtype
        for linear in (self.qkv, self.attended, self.up, self.down):
            linear.to(dtype)

    def pack(self, packed: Callable[[nn.Linear, str], nn.Module]) -> None:
        """Replace the linear layers, for inference only; packed(layer, activation) makes the replacement."""
        for name, activation in (("qkv", "none"), ("attended", "none"), ("up", "gelu"), ("down", "none")):
            linear = getattr(self, name)
            setattr(self, name, packed(linear, activation))
        self.gelu_within_up = True


@cache
def attention_at_once() -> Callable[..., object] | None:
    """torch's attention over texts of several lengths, which is for GPUs; None where torch is older than 2.10.

    Asked for where it is used: importing it takes a second.
    """
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return varlen_attn


def _attention(q: Tensor, k: Tensor, v: Tensor, dropout: float) -> Tensor:
    """Scaled dot-product attention; q, k, v and the result: [rows, heads, length, size]."""
    if not torch.is_grad_enabled() or q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
    # On a CPU, torch's fused kernel takes up to nine times as long forth and back on texts as short as these.
    weights = torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, -1, dtype=torch.float32).to(v.dtype)
    return F.dropout(weights, dropout, dropout > 0) @ v


class Encoder(nn.Module):
    """Token ids -> hidden states."""

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.words = nn.Embedding(shape.vocab_size, shape.hidden_size, padding_idx=shape.pad_id)
        self.positions = nn.Embedding(shape.max_positions, shape.hidden_size)
        self.segments = nn.Embedding(shape.type_vocab_size, shape.hidden_size)
        self.norm = nn.LayerNorm(shape.hidden_size, eps=shape.layer_norm_eps)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))

    def forward(self, ids: Tensor, segments: Tensor | None = None, dropout: float = 0.0) -> Tensor:
        """ids: int [rows, tokens] of texts of one length -> [rows, tokens, hidden]."""
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
        """ids, positions: int [tokens], texts one after the other -> [tokens, hidden].

        groups: (rows, length) of each run of texts of one length, in order; tokens behind the last are padding.
        firsts: where each text begins; with it, only these tokens' states come back, [len(firsts), hidden], and the
        last layer does for no others what a classifier of the first token does not look at. bounds: as `Layer` takes
        them.
        """
        x = self.words(ids) + self.positions(positions)
        x = x + (self.segments.weight[0] if segments is None else self.segments(segments))
        x = F.dropout(self.norm(x), dropout, dropout > 0)
        for layer in self.layers[:-1]:
            x = layer(x, groups, dropout, None, bounds)
        return cast(Tensor, self.layers[-1](x, groups, dropout, firsts, bounds))


class Classifier(nn.Module):
    """Encoder, pooled [CLS] and a linear layer to the labels."""

    def __init__(self, shape: BertShape, labels: int) -> None:
        super().__init__()
        self.encoder = Encoder(shape)
        self.pooler = nn.Linear(shape.hidden_size, shape.hidden_size)
        self.head = nn.Linear(shape.hidden_size, labels)

    def pooled(self, ids: Tensor, segments: Tensor | None = None, dropout: float = 0.0) -> Tensor:
        """ids: int [rows, tokens] of texts of one length -> [rows, hidden]."""
        return torch.tanh(self.pooler(self.summary(self.encoder(ids, segments, dropout))))

    def summary(self, hidden: Tensor) -> Tensor:
        """[rows, tokens, hidden] of texts of one length -> [rows, hidden]: what stands for a text, here its [CLS]."""
        return hidden[:, 0]

    def forward(self, ids: Tensor, segments: Tensor | None = None) -> Tensor:
        """ids: int [rows, tokens] of texts of one length -> logits [rows, labels]."""
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
    """The state of a `Classifier` from the weights of a Hugging Face BertForSequenceClassification.

    Raises KeyError with the Hugging Face name of a weight that is missing.
    """
    # weights converted from TensorFlow call LayerNorm's two vectors gamma and beta
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


def to_hf(state: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    """The reverse of `from_hf`."""
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
