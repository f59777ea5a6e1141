"""Reads and writes model folders, and tokenizes texts.

`model` loads and checks a model folder, `saving` writes a model folder, and `bert` is the neural network.
`kobert_tokenizer` and `wordpiece_tokenizer` turn texts into token ids.
"""

__all__ = [
    "bert",
    "checkpoints",
    "hf_tokenizer",
    "kobert_tokenizer",
    "label_names",
    "local_copy",
    "model",
    "model_folder",
    "model_names",
    "refusals",
    "saving",
    "sentencepiece_file",
    "tokenizer",
    "wordpiece_tokenizer",
]
