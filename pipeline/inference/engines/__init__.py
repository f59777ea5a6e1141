"""Engines: `torch_engine` and `openvino_engine` run a model on batches of tokens.

`engine` defines their interface, and `start` starts an engine. `openvino_graph` builds the graph for OpenVINO, and
`quantization` converts the graph to int8.
"""

__all__ = ["engine", "openvino_engine", "quantization", "start", "torch_engine"]
