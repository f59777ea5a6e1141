"""Engines. An engine runs a model on batches of tokens.

- `engine` defines the interface. `torch_engine` and `openvino_engine` implement the interface.
- `start` starts an engine.
- `openvino_graph` builds the graph for OpenVINO. `quantization` converts the graph to int8.
"""

__all__ = ["engine", "openvino_engine", "quantization", "start", "torch_engine"]
