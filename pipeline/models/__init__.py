"""Reads and writes model folders, and tokenizes texts. `model` loads and checks a folder, `saving` writes a folder.

`bert` is the encoder; `kobert_tokenizer` and `wordpiece_tokenizer` turn texts into token ids.
"""

__all__ = [
    "bert",
    "hf_tokenizer",
    "kobert_tokenizer",
    "local_copy",
    "model",
    "model_folder",
    "saving",
    "tokenizer",
    "wordpiece_tokenizer",
]
