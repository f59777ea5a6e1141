"""Engines: what runs a model on batches of tokens.

`engine.py` has the interface and the candidates on this machine; each other file is one engine (torch, OpenVINO) or a
part of one (its graph, its int8 weights).
"""

__all__ = ["engine", "openvino_engine", "quantization", "torch_engine"]
