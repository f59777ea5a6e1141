"""Finds, reads and checks the files of a model folder.

A model folder is an ordinary Hugging Face folder of a BERT model. It contains:

- config.json
- the weights: model.safetensors or pytorch_model.bin
- the tokenizer: spiece.model for KoBERT, or the tokenizer.json that transformers saves instead; tokenizer.json or
  vocab.txt for other BERT models

emojob never runs code from the folder. Therefore pytorch_model.bin is read with weights_only=True.
"""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from emojob.pipeline.models.bert import BertShape, Classifier, from_hf
from emojob.pipeline.models.kobert_tokenizer import KoBertTokenizer
from emojob.pipeline.models.local_copy import fetch_model
from emojob.pipeline.models.model_names import check_model_name, no_such_model
from emojob.pipeline.models.refusals import check_config, check_pointer
from emojob.pipeline.models.sentencepiece_file import VOCABULARIES, from_tokenizer_json
from emojob.pipeline.models.tokenizer import Tokenizer
from emojob.pipeline.models.wordpiece_tokenizer import WordPieceTokenizer
from emojob.pipeline.storage.folders import TRAINING
from emojob.pipeline.storage.paths import is_object, parse_path
from emojob.schemas.errors import EmojobError, ModelError
from emojob.schemas.messages import last_line

# Everyday sentences that test the tokenizer. The right tokenizer for a Korean model returns almost no [UNK]. A wrong
# tokenizer (another vocabulary, or shifted ids) returns many [UNK].
KNOWN_SENTENCES = (
    "오늘 하루도 정말 수고 많으셨어요.",
    "주문한 물건이 아직 도착하지 않아서 너무 답답해요.",
    "감사합니다, 좋은 하루 보내세요!",
    "내일 시험이 있어서 걱정이 많이 됩니다.",
    "왜 이렇게 사람을 화나게 하는 거야?",
    "혼자 있으면 자꾸 눈물이 나고 슬퍼요.",
)
MOST_UNKNOWN = 0.05  # maximum share of [UNK] among the tokens of KNOWN_SENTENCES

_SENTENCEPIECE = ("spiece.model", "tokenizer.model", "tokenizer_78b3253a26.model")
_WORDPIECE = ("tokenizer.json", "vocab.txt")
_WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")

#: Where KoBERT's SentencePiece model comes from, for messages.
SPIECE_SOURCE = (
    "KoBERT's spiece.model is at https://huggingface.co/skt/kobert-base-v1/resolve/main/spiece.model; of the gluonnlp "
    "era, keep tokenizer_78b3253a26.model and vocab.txt in one folder"
)

#: Names of the files of a tokenizer.
TOKENIZER_FILES = (*_SENTENCEPIECE, *_WORDPIECE)

#: Name of the default model on the command line.
DEFAULT = "default"

#: Names of all files that emojob reads from a model folder.
FILES = (
    "config.json", *_WEIGHT_FILES, *_SENTENCEPIECE, *dict.fromkeys([*_WORDPIECE, *VOCABULARIES]),
    "tokenizer_config.json",
)  # fmt: skip


def find_folder(name: str | None, option: str = "--model") -> Path:
    """Return the local folder of a model.

    Args:
        name: A folder, a URL of an object store, or a name on the Hugging Face hub; None or `default` selects the
            default model.
        option: The command line option that names the model, for error messages.

    Raises:
        ModelError: The model does not exist or cannot be downloaded.
    """
    if name is None or (name == DEFAULT and not Path(name).exists()):
        return Path(str(files("emojob.pipeline.assets") / "default_model"))
    path = parse_path(name)
    if is_object(path):
        return fetch_model(path, FILES, option)
    folder = Path(str(path))
    if folder.is_dir():
        for file in FILES:
            if (folder / file).exists() and not (folder / file).is_file():
                raise ModelError(
                    f"{option} {name} has a {file} that is not a regular file: copy the model's {file} into the folder"
                )
        return folder
    if folder.exists():
        raise ModelError(
            f"{option} {name} is a file: give the folder that contains config.json and the weights; `emojob convert "
            f"{name} -o DIR --labels L1,L2,...` makes a model folder from a checkpoint"
        )
    check_model_name(name, option)
    return _from_hub(name, option)


def _from_hub(name: str, option: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=[*FILES]))
    except HFValidationError:
        raise no_such_model(name, option) from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"{option} {name} is not a local folder, and its download from the Hugging Face hub failed "
            f"({type(error).__name__}): check the name and the network connection, or give a local model folder"
        ) from None


def read_config(
    folder: Path, shown: str, kinds: tuple[str, ...] = ("bert",), instead: str = "KoBERT"
) -> dict[str, Any]:
    """Return the contents of config.json.

    Args:
        folder: The model folder.
        shown: Name of the model, for error messages.
        kinds: Accepted values of model_type in config.json.
        instead: A model that could be used instead, for error messages.

    Raises:
        ModelError: The file is missing or damaged, model_type is not in `kinds`, or emojob does not compute the model.
    """
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if (folder / TRAINING).is_dir():
            raise ModelError(
                f"the training of {shown} is not finished: run the same `emojob train` command again, with -o {shown}, "
                f"to go on where it stopped"
            ) from None
        raise ModelError(
            f"{shown} lacks config.json: give a model folder with config.json, the weights and the tokenizer"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"config.json of {shown} cannot be read ({last_line(error)}): copy the model's original config.json into "
            f"the model folder"
        ) from None
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind not in kinds:
        known = ", ".join(map(repr, kinds))
        raise ModelError(
            f"{shown} has model_type {kind!r} in its config.json, but emojob supports only {known}: give another "
            f"model, such as {instead}"
        )
    check_config(config, shown)
    return dict(config)


def read_shape(config: dict[str, Any], shown: str) -> BertShape:
    """Return the sizes in config.json. Raises ModelError if a size is missing or invalid."""
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
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        fault = "lacks the key" if isinstance(error, KeyError) else "has an invalid size:"
        raise ModelError(
            f"config.json of {shown} {fault} {last_line(error)}; copy the model's original config.json into the model "
            f"folder"
        ) from None
    if (
        min(shape.vocab_size, shape.hidden_size, shape.layers, shape.heads, shape.max_positions) < 1
        or shape.hidden_size % shape.heads
    ):
        raise ModelError(
            f"{shown} has invalid sizes in its config.json (vocab_size {shape.vocab_size}, hidden_size "
            f"{shape.hidden_size}, num_hidden_layers {shape.layers}, num_attention_heads {shape.heads}, "
            f"max_position_embeddings {shape.max_positions}): each size must be at least 1, and hidden_size must be a "
            f"multiple of num_attention_heads"
        )
    return shape


def read_weights(folder: Path, shown: str) -> dict[str, Tensor]:
    """Return the weights as {Hugging Face name: tensor}.

    Args:
        folder: The model folder.
        shown: Name of the model, for error messages.

    Raises:
        ModelError: The weights are missing or damaged, or the file contains objects other than tensors.
    """
    safe, pickled = (folder / file for file in _WEIGHT_FILES)
    try:
        if safe.exists():
            check_pointer(safe, f"{safe.name} of {shown}")
            return dict(load_file(safe))
        if pickled.exists():
            check_pointer(pickled, f"{pickled.name} of {shown}")
            return _only_tensors(torch.load(pickled, map_location="cpu", weights_only=True))
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"the weights of {shown} cannot be read ({last_line(error)}): copy or download the model again"
        ) from None
    except EmojobError:  # raised by a signal handler, not by torch
        raise
    except Exception as error:  # torch.load can raise any exception for a damaged file
        raise ModelError(
            f"pytorch_model.bin of {shown} is damaged, or contains objects other than weights ({last_line(error)}): "
            f"download the file again, use model.safetensors, or make a model folder from the file with "
            f"`emojob convert {shown} -o DIR --labels L1,L2,...`"
        ) from None
    raise ModelError(
        f"{shown} has no weights: copy {' or '.join(_WEIGHT_FILES)} into the model folder. emojob does not support "
        f"weights that are split into several files"
    )


def _only_tensors(weights: Any) -> dict[str, Tensor]:
    if not isinstance(weights, dict) or not all(isinstance(one, Tensor) for one in weights.values()):
        raise TypeError("not a dictionary of tensors")
    return weights


def read_tokenizer(folder: Path, shown: str, threads: int | None = None) -> Tokenizer:
    """Return KoBERT's tokenizer if the folder has spiece.model or a Unigram tokenizer, else a WordPiece tokenizer.

    Args:
        folder: The model folder.
        shown: Name of the model, for error messages.
        threads: Number of threads; None uses one thread per core.

    Raises:
        ModelError: The tokenizer is missing or invalid.
    """
    sentencepiece = [folder / file for file in _SENTENCEPIECE if (folder / file).exists()]
    saved = folder / "tokenizer.json"  # transformers saves only this file
    try:
        if not sentencepiece and saved.exists() and from_tokenizer_json(saved) is not None:
            sentencepiece = [saved]
        for file in (*sentencepiece, saved):
            if file.exists():
                check_pointer(file, f"{file.name} of {shown}")
        if sentencepiece:
            return KoBertTokenizer(sentencepiece[0], threads)
        if any((folder / file).exists() for file in _WORDPIECE):
            return WordPieceTokenizer(folder, threads)
    except (ValueError, OSError, RecursionError) as error:
        raise ModelError(
            f"the tokenizer of {shown} cannot be used ({last_line(error)}): copy the model's original tokenizer into "
            f"the model folder (spiece.model for KoBERT; tokenizer.json for other BERT models)"
        ) from None
    raise ModelError(
        f"{shown} has no tokenizer: copy the model's original tokenizer into the model folder (spiece.model for "
        f"KoBERT; tokenizer.json or vocab.txt for other BERT models). {SPIECE_SOURCE}"
    )


def check_tokenizer(tokenizer: Tokenizer, config: dict[str, Any], weights: dict[str, Tensor], shown: str) -> None:
    """Raise ModelError if the tokenizer does not fit the model, or returns many [UNK] for Korean text.

    Args:
        tokenizer: The tokenizer of the folder.
        config: Contents of config.json.
        weights: {Hugging Face name: tensor}.
        shown: Name of the model, for error messages.
    """
    rows = weights.get("bert.embeddings.word_embeddings.weight", torch.empty(0)).shape[0]
    name = tokenizer.files[0].name
    spare = rows - tokenizer.vocab_size  # WordPiece models often have unused embedding rows at the end
    if spare < 0 or (spare and isinstance(tokenizer, KoBertTokenizer)):
        raise ModelError(
            f"the tokenizer of {shown} has {tokenizer.vocab_size} pieces, but the weights are for {rows} pieces: "
            f"copy the model's original {name} into the model folder"
        )
    pad = config.get("pad_token_id")
    if pad is not None and pad != tokenizer.pad_id:
        raise ModelError(
            f"{shown} has pad_token_id {pad} in its config.json, but its tokenizer gives [PAD] the id "
            f"{tokenizer.pad_id}: copy config.json and the tokenizer from the same model"
        )
    unknown = tokenizer.unknown_share(KNOWN_SENTENCES)
    if unknown > MOST_UNKNOWN:
        raise ModelError(
            f"{name} of {shown} does not know {unknown:.0%} of the tokens in everyday Korean text: copy the model's "
            f"original spiece.model or tokenizer.json into the model folder"
        )


def assemble(weights: dict[str, Tensor], shape: BertShape, labels: int, shown: str) -> Classifier:
    """Return a classifier with the given weights, in fp32.

    Args:
        weights: {Hugging Face name: tensor}.
        shape: Sizes of the model.
        labels: Number of labels.
        shown: Name of the model, for error messages.

    Raises:
        ModelError: A weight is missing, or the weights do not fit `shape`.
    """
    if any(name.startswith(f"bert.encoder.layer.{shape.layers}.") for name in weights):
        raise ModelError(
            f"{shown} has num_hidden_layers {shape.layers} in its config.json, but weights for more layers: "
            f"copy config.json and the weights from the same model"
        )
    try:
        state = {key: w.float() for key, w in from_hf(weights, shape.layers).items()}
        expected = {
            "encoder.words": (shape.vocab_size, shape.hidden_size),
            "encoder.positions": (shape.max_positions, shape.hidden_size),
            "encoder.layers.0.up": (shape.intermediate_size, shape.hidden_size),
        }
        for name, size in expected.items():  # checked before `Classifier` allocates memory
            if tuple(state[f"{name}.weight"].shape) != size:
                raise RuntimeError(f"{name} has the shape {tuple(state[f'{name}.weight'].shape)}, not {size}")
        classifier = Classifier(shape, labels)
        classifier.load_state_dict(state)
    except KeyError as error:
        raise ModelError(
            f"{shown} lacks the weight {error.args[0]}. The file may be incomplete: copy or download the model again"
        ) from None
    except RuntimeError as error:
        raise ModelError(
            f"the weights of {shown} do not fit its config.json ({last_line(error)}): copy config.json and the weights "
            f"from the same model"
        ) from None
    return classifier


def hash_weights(weights: dict[str, Tensor]) -> str:
    """Return the hexadecimal SHA-256 of the weights and their names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
