"""Loading a model: a folder or a hub name, checked before it labels anything.

A model folder is an ordinary Hugging Face one of the BERT family with KoBERT's tokenizer: config.json with id2label,
model.safetensors (or pytorch_model.bin, read through weights_only) and spiece.model. No code of the folder is run.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pipeline.bert import BertShape, Classifier, from_hf
from pipeline.tokenizer import KoBertTokenizer
from schemas.errors import EmojobError, ModelError

# Everyday sentences written for this check. KoBERT's tokenizer knows all of their pieces; one of another
# vocabulary, or one whose ids are shifted, does not.
KNOWN_SENTENCES = (
    "오늘 하루도 정말 수고 많으셨어요.",
    "주문한 물건이 아직 도착하지 않아서 너무 답답해요.",
    "감사합니다, 좋은 하루 보내세요!",
    "내일 시험이 있어서 걱정이 많이 됩니다.",
    "왜 이렇게 사람을 화나게 하는 거야?",
    "혼자 있으면 자꾸 눈물이 나고 슬퍼요.",
)
MOST_UNKNOWN = 0.05

_TOKENIZER_FILES = ("spiece.model", "tokenizer.model")
_WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True)
class Model:
    """A sequence classifier that is ready to be put on a device.

    labels: in id order; temperature: divides the logits before the softmax; fingerprint: hexadecimal, stands for
    weights, tokenizer, labels and temperature.
    """

    name: str
    classifier: Classifier
    shape: BertShape
    tokenizer: KoBertTokenizer
    labels: tuple[str, ...]
    temperature: float
    context: str
    fingerprint: str
    stored_in: torch.dtype

    def fingerprint_for(self, max_length: int) -> str:
        """The fingerprint of what a run makes of a text: the model's, max length and context."""
        return _digest(self.fingerprint, str(max_length), self.context)[:16]


def load(name: str | None = None, threads: int | None = None) -> Model:
    """Load a model from a folder, from the Hugging Face hub, or (None) the one that comes with the package.

    Raises ModelError where anything is missing or does not fit together.
    """
    folder = _folder(name)
    shown = name or "the default model"
    config = _config(folder, shown)
    tokenizer = _tokenizer(folder, shown, threads)
    weights = _weights(folder, shown)
    shape = _shape(config, shown)
    _check_head(config, weights, shown)
    if any(name.startswith(f"bert.encoder.layer.{shape.layers}.") for name in weights):
        raise ModelError(f"{shown} has weights for more layers than the {shape.layers} that its config.json names")
    labels = _labels(config, weights, shown)
    _check_tokenizer(tokenizer, config, weights, shown)
    classifier = Classifier(shape, len(labels))
    try:
        classifier.load_state_dict({key: w.float() for key, w in from_hf(weights, shape.layers).items()})
    except KeyError as error:
        raise ModelError(f"{shown} lacks the weight {error.args[0]}: is the file complete? Download it again") from None
    except RuntimeError as error:
        raise ModelError(f"{shown} has weights that do not fit its config.json: {_last_line(error)}") from None
    temperature = _temperature(config, shown)
    stored_in = weights["bert.embeddings.word_embeddings.weight"].dtype
    fingerprint = _digest(_hash(weights), _file_hash(tokenizer.model_file), *labels, repr(temperature))
    context = str(config.get("emojob_context", "none"))
    return Model(shown, classifier.eval(), shape, tokenizer, labels, temperature, context, fingerprint, stored_in)


def _folder(name: str | None) -> Path:
    if name is None:
        return Path(str(files("pipeline") / "default_model"))
    path = Path(name)
    if path.is_dir():
        return path
    if path.exists():
        raise ModelError(f"--model {name} is a file: give the folder that holds config.json and the weights")
    if name.count("/") > 1 or name.startswith((".", "/", "~")) or "\\" in name:
        raise ModelError(f"--model {name} does not exist: give a model folder, or a name on the Hugging Face hub")
    return _from_hub(name)


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = ["config.json", *_WEIGHT_FILES, *_TOKENIZER_FILES]
    try:
        return Path(snapshot_download(name, allow_patterns=wanted))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"--model {name} is no folder here, and the Hugging Face hub did not give it ({type(error).__name__}): "
            f"check the name and the network, or give a folder"
        ) from None


def _config(folder: Path, shown: str) -> dict[str, Any]:
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"{shown} lacks config.json: a model folder has config.json, weights and spiece.model"
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{shown} has a config.json that cannot be read: {_last_line(error)}") from None
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != "bert":
        raise ModelError(f"{shown} is of the type {kind!r}: emojob runs models of the type 'bert' (KoBERT)")
    act = config.get("hidden_act", "gelu")
    if act != "gelu":
        raise ModelError(f"{shown} has the activation {act!r}: emojob runs BERT with 'gelu'")
    return dict(config)


def _shape(config: dict[str, Any], shown: str) -> BertShape:
    try:
        shape = BertShape(
            vocab_size=int(config["vocab_size"]),
            hidden_size=int(config["hidden_size"]),
            layers=int(config["num_hidden_layers"]),
            heads=int(config["num_attention_heads"]),
            intermediate_size=int(config["intermediate_size"]),
            max_positions=int(config["max_position_embeddings"]),
            type_vocab_size=int(config.get("type_vocab_size", 2)),
            layer_norm_eps=float(config.get("layer_norm_eps", 1e-12)),
            pad_id=int(config.get("pad_token_id") or 0),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{shown} has a config.json without a usable {_last_line(error)}") from None
    if (
        min(shape.vocab_size, shape.hidden_size, shape.layers, shape.heads, shape.max_positions) < 1
        or shape.hidden_size % shape.heads
    ):
        raise ModelError(
            f"{shown} has {shape.layers} layers of {shape.hidden_size} with {shape.heads} heads in its config.json: "
            f"give at least one of each, and a size that the heads divide"
        )
    return shape


def _temperature(config: dict[str, Any], shown: str) -> float:
    given = config.get("emojob_temperature", 1.0)
    if not isinstance(given, (int, float)) or not 0 < given < float("inf"):
        raise ModelError(
            f"{shown} has emojob_temperature {given!r} in its config.json: give a number above 0, or leave it out"
        )
    return float(given)


def _weights(folder: Path, shown: str) -> dict[str, Tensor]:
    safe, pickled = (folder / file for file in _WEIGHT_FILES)
    try:
        if safe.exists():
            return dict(load_file(safe))
        if pickled.exists():
            return _only_tensors(torch.load(pickled, map_location="cpu", weights_only=True))
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{shown} has weights that cannot be read: {_last_line(error)}") from None
    except EmojobError:  # raised by a signal
        raise
    except Exception as error:  # torch.load raises whatever the pickle leads it to
        raise ModelError(f"{shown} has a pytorch_model.bin that is not plain weights: {_last_line(error)}") from None
    raise ModelError(f"{shown} lacks its weights: {' or '.join(_WEIGHT_FILES)} in one file")


def _only_tensors(weights: Any) -> dict[str, Tensor]:
    if not isinstance(weights, dict) or not all(isinstance(one, Tensor) for one in weights.values()):
        raise TypeError("not a dictionary of tensors")
    return weights


def _check_head(config: dict[str, Any], weights: dict[str, Tensor], shown: str) -> None:
    if "classifier.weight" not in weights:
        raise ModelError(
            f"{shown} is a base model without a classification head: fine-tune it first with "
            f"`emojob train --base {shown} --data FILE -o DIR`, then give that folder"
        )


def _labels(config: dict[str, Any], weights: dict[str, Tensor], shown: str) -> tuple[str, ...]:
    number = weights["classifier.weight"].shape[0]
    named = config.get("id2label")
    if not isinstance(named, dict):
        raise ModelError(f"{shown} has no id2label in its config.json: name its {number} labels there, by id")
    labels = tuple(str(named.get(str(i), "")) for i in range(number))
    if len(named) != number or not all(labels) or len(set(labels)) != number:
        raise ModelError(f"{shown} has {number} outputs, but id2label names {len(named)} labels: name each id once")
    return labels


def _tokenizer(folder: Path, shown: str, threads: int | None) -> KoBertTokenizer:
    found = [folder / file for file in _TOKENIZER_FILES if (folder / file).exists()]
    if not found:
        raise ModelError(f"{shown} lacks spiece.model: put KoBERT's SentencePiece model beside config.json")
    try:
        return KoBertTokenizer(found[0], threads)
    except (ValueError, OSError) as error:
        raise ModelError(f"{shown} has a tokenizer that cannot be used: {_last_line(error)}") from None


def _check_tokenizer(
    tokenizer: KoBertTokenizer, config: dict[str, Any], weights: dict[str, Tensor], shown: str
) -> None:
    rows = weights.get("bert.embeddings.word_embeddings.weight", torch.empty(0)).shape[0]
    if tokenizer.vocab_size != rows:
        raise ModelError(
            f"{shown} has a tokenizer of {tokenizer.vocab_size} pieces, but weights for {rows}: "
            f"use the spiece.model that the model was trained with"
        )
    pad = config.get("pad_token_id")
    if pad is not None and pad != tokenizer.pad_id:
        raise ModelError(
            f"{shown} has [PAD] = {pad} in config.json, but {tokenizer.pad_id} in its tokenizer: "
            f"the two do not belong together"
        )
    unknown = tokenizer.unknown_share(KNOWN_SENTENCES)
    if unknown > MOST_UNKNOWN:
        raise ModelError(
            f"{shown} has a tokenizer that does not know {unknown:.0%} of everyday Korean "
            f"({tokenizer.model_file.name}): "
            f"use the spiece.model that the model was trained with"
        )


def _hash(weights: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _file_hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()[:300]
