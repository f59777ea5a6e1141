"""Engines, which run a model on batches of tokens.

`engine` defines the interface of an engine. `torch_engine` and `openvino_engine` are the engines; `start` starts one.
`openvino_graph` builds the graph for OpenVINO, and `quantization` converts the graph to int8.
"""

__all__ = ["engine", "openvino_engine", "quantization", "start", "torch_engine"]
