"""Computes a GPT-2 model (Radford et al., 2019) for generation.

`Decoder` returns the same logits as `transformers.GPT2LMHeadModel`, but only for the last token of each sequence. It
does not depend on the version of transformers. On a CPU, the matrices are packed for oneDNN, which is two to four times
as fast for the few rows of a generation step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from emojob.pipeline.replies.writing.cache import KeyValueCache

_PACKED_FOR_ROWS = 64  # number of rows for which oneDNN chooses the layout of the matrices

# activation_function in config.json that means GELU with tanh, which oneDNN applies itself
_TANH_GELU = ("gelu_new", "gelu_pytorch_tanh")

Linear = Callable[[Tensor], Tensor]
Norm = Callable[[Tensor], Tensor]


class Decoder:
    """A GPT-2 model for generation, in fp32. After the model's weights have changed, a new decoder is needed.

    Attributes:
        device: Device of the weights.
        layers: Number of layers.
        heads: Number of attention heads.
        size: Size of a head.
        vocabulary: Number of tokens.
    """

    def __init__(self, model: Any) -> None:
        """Create from a transformers.GPT2LMHeadModel."""
        config, body = model.config, model.transformer
        self._words, self._places = body.wte.weight.detach().float(), body.wpe.weight.detach().float()
        self.device = self._words.device
        self.vocabulary, hidden = self._words.shape
        self.layers, self.heads, self.size = len(body.h), config.n_head, hidden // config.n_head
        with torch.inference_mode():
            is_packed = self.device.type == "cpu" and _packs_correctly()
            self._layers = [_Layer(block, config, is_packed) for block in body.h]
            self._norm = _norm(body.ln_f)
            self._logits = _linear(model.lm_head.weight, None, is_packed)

    def new_cache(self, slots: int, length: int) -> KeyValueCache:
        """Return an empty cache for `slots` sequences of at most `length` tokens."""
        return KeyValueCache(self.layers, slots, self.heads, length, self.size, self.device)

    def read_prompts(self, ids: Tensor, lengths: Tensor, cache: KeyValueCache, first: int) -> Tensor:
        """Read whole prompts into the cache, and return the logits of the next tokens: [rows, vocabulary].

        Args:
            ids: int64 [rows, tokens], padded at the end with any id.
            lengths: int64 [rows], number of tokens of each prompt.
            cache: Receives the keys and values.
            first: Slot of the first prompt.
        """
        rows, tokens = ids.shape
        x = (self._words[ids] + self._places[:tokens]).view(rows * tokens, -1)
        lasts = torch.arange(rows, device=ids.device) * tokens + lengths - 1

        def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            q, k, v = (one.view(rows, tokens, self.heads, self.size).transpose(1, 2) for one in (q, k, v))
            cache.write_prompts(layer, first, k, v)
            scale = self._layers[layer].scale
            attended = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)
            return attended.transpose(1, 2).reshape(rows * tokens, -1)

        for number, layer in enumerate(self._layers):
            x = layer.forward(x, number, attend)
        return self._logits(self._norm(x[lasts]))

    def next_logits(self, ids: Tensor, positions: Tensor, cache: KeyValueCache) -> Tensor:
        """Read one more token of each sequence, and return the logits of the next tokens: [rows, vocabulary].

        Args:
            ids: int64 [rows], the tokens of the sequences in the first slots of the cache.
            positions: int64 [rows], positions of these tokens.
            cache: The keys and values so far.
        """
        rows, places = len(ids), cache.places(positions)
        x = self._words[ids] + self._places[positions]
        unused = torch.arange(cache.length, device=ids.device) > positions[:, None]
        mask = torch.zeros(unused.shape, device=ids.device).masked_fill(unused, float("-inf"))[:, None]

        def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            k, v = (one.reshape(rows * self.heads, self.size) for one in (k, v))
            keys, values = cache.write_tokens(layer, places, k, v)
            q = (q * self._layers[layer].scale).view(rows * self.heads, 1, self.size)
            weights = torch.bmm(q, keys.transpose(1, 2)).view(rows, self.heads, -1) + mask
            return torch.bmm(torch.softmax(weights, -1).view(rows * self.heads, 1, -1), values).view(rows, -1)

        for number, layer in enumerate(self._layers):
            x = layer.forward(x, number, attend)
        return self._logits(self._norm(x))


class _Layer:
    """A transformer layer: attention, then a feed-forward network, each with a LayerNorm before it."""

    def __init__(self, block: Any, config: Any, is_packed: bool) -> None:
        self.scale = (config.n_embd // config.n_head) ** -0.5 if config.scale_attn_weights else 1.0
        if config.scale_attn_by_inverse_layer_idx:
            self.scale /= block.attn.layer_idx + 1
        gelu = "gelu" if config.activation_function in _TANH_GELU else "none"
        self._before_attention, self._before_up = _norm(block.ln_1), _norm(block.ln_2)
        self._qkv = _linear(block.attn.c_attn.weight.t(), block.attn.c_attn.bias, is_packed)
        self._attended = _linear(block.attn.c_proj.weight.t(), block.attn.c_proj.bias, is_packed)
        self._up = _linear(block.mlp.c_fc.weight.t(), block.mlp.c_fc.bias, is_packed, gelu)
        self._down = _linear(block.mlp.c_proj.weight.t(), block.mlp.c_proj.bias, is_packed)
        self._activation: Linear = (lambda x: x) if gelu == "gelu" else block.mlp.act

    def forward(self, x: Tensor, number: int, attend: Callable[[int, Tensor, Tensor, Tensor], Tensor]) -> Tensor:
        q, k, v = self._qkv(self._before_attention(x)).chunk(3, -1)
        x = x + self._attended(attend(number, q, k, v))
        return x + self._down(self._activation(self._up(self._before_up(x))))


def _norm(norm: Any) -> Norm:
    shape, weight, bias, eps = norm.normalized_shape, norm.weight.detach().float(), norm.bias.detach().float(), norm.eps
    return lambda x: F.layer_norm(x, shape, weight, bias, eps)


def _linear(weight: Tensor, bias: Tensor | None, is_packed: bool, activation: str = "none") -> Linear:
    """Return a function that multiplies by a weight [outputs, inputs], adds the bias, and applies the activation."""
    weight, bias = weight.detach().float(), None if bias is None else bias.detach().float()
    if is_packed:
        packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), _PACKED_FOR_ROWS)
        pointwise = torch.ops.mkldnn._linear_pointwise
        return lambda x: cast(Tensor, pointwise(x, packed, bias, activation, [], "tanh"))
    if activation == "gelu":
        return lambda x: F.gelu(F.linear(x, weight, bias), approximate="tanh")
    return lambda x: F.linear(x, weight, bias)


def _packs_correctly() -> bool:
    """Return whether torch has oneDNN's packed kernels, and whether they give the right results in a test."""
    x = torch.linspace(-2, 2, 32 * 24).view(24, 32)
    weight, bias = torch.linspace(-0.3, 0.4, 48 * 32).view(48, 32), torch.linspace(-1, 1, 48)
    try:
        given, right = (_linear(weight, bias, is_packed, "gelu")(x) for is_packed in (True, False))
    except (RuntimeError, AttributeError):
        return False
    return torch.allclose(given, right, atol=1e-5)
