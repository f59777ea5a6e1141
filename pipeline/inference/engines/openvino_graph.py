"""Builds BERT as an OpenVINO graph. The graph uses the weights of the model without a copy.

The graph is not converted from torch, because OpenVINO's converters send usage data over the network.

The graph needs no mask, because all rows of `ids` have the same length. The last layer computes only the first token of
each text, because the classifier reads only this token.
"""

from __future__ import annotations

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import Node, opset13

from emojob.pipeline.models.bert import BertShape, Classifier

Weights = dict[str, NDArray[np.float32]]


def build(classifier: Classifier, shape: BertShape) -> openvino.Model:
    """Return the graph of a classifier.

    Inputs of the graph: `ids` and `segments`, int32 [rows, tokens]. Output: logits, float32 [rows, labels]. The graph
    does not copy the weights, so the classifier must stay in memory.

    Args:
        classifier: The classifier.
        shape: Sizes of the classifier, for example the number of layers.
    """
    weights = {name: weight.detach().float().numpy() for name, weight in classifier.state_dict().items()}
    ids, segments = (opset13.parameter([-1, -1], np.int32, name=name) for name in ("ids", "segments"))
    hidden = _embed(ids, segments, weights, shape)
    for i in range(shape.layers):
        hidden = _layer(hidden, weights, f"encoder.layers.{i}", shape, only_first=i == shape.layers - 1)
    pooled = opset13.tanh(_linear(_squeeze(hidden, 1), weights, "pooler"))
    return openvino.Model([opset13.result(_linear(pooled, weights, "head"))], [ids, segments], "classifier")


def _embed(ids: Node, segments: Node, weights: Weights, shape: BertShape) -> Node:
    """Return the embeddings of tokens: [rows, tokens, hidden]."""
    tokens = _squeeze(opset13.gather(opset13.shape_of(ids), _integers(1), _integer(0)), 0)
    position_ids = opset13.range(_integer(0), tokens, _integer(1), "i64")
    words = opset13.gather(_constant(weights["encoder.words.weight"]), ids, _integer(0))
    positions = opset13.gather(_constant(weights["encoder.positions.weight"]), position_ids, _integer(0))
    segment_states = opset13.gather(_constant(weights["encoder.segments.weight"]), segments, _integer(0))
    return _norm(opset13.add(opset13.add(words, positions), segment_states), weights, "encoder.norm", shape)


def _layer(x: Node, weights: Weights, name: str, shape: BertShape, only_first: bool) -> Node:
    """Return the output of a transformer layer, [rows, tokens, hidden].

    With `only_first`, the output contains only the first token of each row: [rows, 1, hidden].
    """
    heads, size = shape.heads, shape.hidden_size // shape.heads
    queries = opset13.slice(x, _integers(0), _integers(1), _integers(1), _integers(1)) if only_first else x
    axes = _integers(0, 2, 1, 3)  # [rows, tokens, heads, size] <-> [rows, heads, tokens, size]

    def by_head(which: int, states: Node) -> Node:
        part = slice(which * shape.hidden_size, (which + 1) * shape.hidden_size)
        projected = _linear(states, weights, f"{name}.qkv", part)
        return opset13.transpose(opset13.reshape(projected, _integers(0, 0, heads, size), True), axes)

    attended = opset13.scaled_dot_product_attention(by_head(0, queries), by_head(1, x), by_head(2, x))
    merged = opset13.reshape(opset13.transpose(attended, axes), _integers(0, 0, shape.hidden_size), True)
    x = _norm(
        opset13.add(_linear(merged, weights, f"{name}.attended"), queries), weights, f"{name}.attention_norm", shape
    )
    raised = opset13.gelu(_linear(x, weights, f"{name}.up"), "erf")
    return _norm(opset13.add(_linear(raised, weights, f"{name}.down"), x), weights, f"{name}.output_norm", shape)


def _linear(x: Node, weights: Weights, name: str, rows: slice = slice(None)) -> Node:
    """Return the output of a linear layer. `rows` selects rows of the weight matrix."""
    product = opset13.matmul(x, _constant(weights[f"{name}.weight"][rows]), False, True)
    return opset13.add(product, _constant(weights[f"{name}.bias"][rows]))


def _norm(x: Node, weights: Weights, name: str, shape: BertShape) -> Node:
    """Return the output of LayerNorm over the last axis."""
    normed = opset13.mvn(x, _integers(-1), True, shape.layer_norm_eps, "inside_sqrt")
    return opset13.add(
        opset13.multiply(normed, _constant(weights[f"{name}.weight"])), _constant(weights[f"{name}.bias"])
    )


def _squeeze(x: Node, axis: int) -> Node:
    return opset13.squeeze(x, _integers(axis))


def _constant(values: NDArray[np.float32]) -> Node:
    return opset13.constant(values, shared_memory=True)


def _integer(value: int) -> Node:
    return opset13.constant(np.int64(value))


def _integers(*values: int) -> Node:
    return opset13.constant(np.array(values, np.int64))
