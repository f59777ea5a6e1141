"""Engines, which run a model on batches of tokens.

`engine` defines the interface and finds the candidates on this machine. `torch_engine` and `openvino_engine` are the
engines. `openvino_graph` builds the graph for OpenVINO; `quantization` converts it to int8.
"""

__all__ = ["engine", "openvino_engine", "quantization", "torch_engine"]
