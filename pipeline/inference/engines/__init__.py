"""Engines, which run a model on batches of tokens.

`engine` defines the interface of an engine, and finds the engines that this machine can run. `torch_engine` and
`openvino_engine` are the engines. `openvino_graph` builds the graph for OpenVINO, and `quantization` converts the graph
to int8.
"""

__all__ = ["engine", "openvino_engine", "quantization", "torch_engine"]
