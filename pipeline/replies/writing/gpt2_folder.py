"""Reads and writes the model folder of a GPT-2 model with KoGPT2's tokens.

The folder contains config.json, the weights (model.safetensors or pytorch_model.bin) and tokenizer.json. emojob never
runs code from the folder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save
from tokenizers import Tokenizer
from torch import Tensor

from emojob.pipeline.models.model_folder import find_folder, read_config, read_weights
from emojob.pipeline.models.refusals import check_pointer
from emojob.pipeline.replies.writing.sequence import END, MASK, PAD, REQUIRED, UNKNOWN, Sequences
from emojob.pipeline.storage.atomic import write_bytes, write_json
from emojob.schemas.errors import EmojobError, ModelError
from emojob.schemas.messages import last_line

#: KoGPT2 on the Hugging Face hub, and its licence.
KOGPT2, KOGPT2_LICENCE = "skt/kogpt2-base-v2", "CC-BY-NC-SA 4.0"

_ROLES = {"bos_token": END, "eos_token": END, "unk_token": UNKNOWN, "pad_token": PAD, "mask_token": MASK}
_GIVE = f"give {KOGPT2}, or a folder with the same files"
_UNUSED_SETTINGS = ("dtype", "torch_dtype", "architectures", "transformers_version", "auto_map")
_KOGPT2_TOKENS, _KOGPT2_LAST = 51_200, "<unused99>"  # size of KoGPT2's vocabulary, and its last control token
_MOST_SPARE_TOKENS = 1024  # models often have some unused embedding rows at the end
_NAMES_LICENCE = re.compile(r"cc[-_ ]by[-_ ]nc[-_ ]sa", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Gpt2:
    """A GPT-2 model and its token sequences.

    Attributes:
        model: transformers.GPT2LMHeadModel in fp32, in evaluation mode.
        sequences: Makes the token sequences of the model.
        name: Name or folder of the model.
        licence: `CC-BY-NC-SA 4.0` for KoGPT2 and models made from it; "" if unknown.
    """

    model: Any
    sequences: Sequences
    name: str
    licence: str = ""

    @property
    def positions(self) -> int:
        """Largest number of tokens of a sequence, prompt and answer together."""
        return int(self.model.config.n_positions)


def load_gpt2(name_or_folder: str, option: str = "--base", device: str = "cpu") -> Gpt2:
    """Load a GPT-2 model.

    Args:
        name_or_folder: A model folder, a URL of an object store, or a name on the Hugging Face hub.
        option: The command line option that names the model, for error messages.
        device: cpu or cuda; auto is cuda if there is a GPU. The model writes answers on this device.

    Raises:
        ModelError: The model does not exist, cannot be downloaded, is damaged, is not a GPT-2 model, or lacks a token.
    """
    folder = find_folder(name_or_folder, option)
    config = read_config(folder, name_or_folder, ("gpt2",), KOGPT2)
    kinds = config.get("architectures") or ["GPT2LMHeadModel"]
    if "GPT2LMHeadModel" not in kinds:
        raise ModelError(
            f"{name_or_folder} is a {kinds[0]!s:.60} in its config.json, but emojob writes answers only with a "
            f"GPT2LMHeadModel: {_GIVE}"
        )
    tokenizer = _read_tokenizer(folder, name_or_folder)
    model = _assemble(config, read_weights(folder, name_or_folder), name_or_folder)
    sequences = Sequences(tokenizer)
    rows = model.config.vocab_size
    if not sequences.tokens <= rows <= sequences.tokens + _MOST_SPARE_TOKENS:
        raise ModelError(
            f"the tokenizer of {name_or_folder} has {sequences.tokens:,} tokens, but the weights are for {rows:,} "
            f"tokens: copy the model's original tokenizer.json into the model folder"
        )
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return Gpt2(model.to(device), sequences, name_or_folder, _licence(folder, config, name_or_folder, tokenizer))


def write_gpt2(gpt2: Gpt2, folder: Path) -> None:
    """Write a model into an existing folder, in the form that `load_gpt2` and transformers read.

    config.json is written last. Therefore a folder that contains config.json is complete.

    Raises:
        OSError: A file cannot be written.
    """
    weights = {name: weight.detach().cpu().contiguous() for name, weight in gpt2.model.state_dict().items()}
    weights.pop("lm_head.weight", None)  # the same tensor as the token embeddings
    write_bytes(folder / "model.safetensors", save(weights, {"format": "pt"}))
    write_bytes(folder / "tokenizer.json", gpt2.sequences.tokenizer.to_str(pretty=True).encode())
    shape = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": gpt2.positions}
    write_json(folder / "tokenizer_config.json", {**shape, **_ROLES})
    config = gpt2.model.config.to_dict()
    config |= {"architectures": ["GPT2LMHeadModel"], "dtype": "float32"}
    end, pad = gpt2.sequences.end, gpt2.sequences.pad
    config |= {"bos_token_id": end, "eos_token_id": end, "pad_token_id": pad}  # transformers ends an answer there
    write_json(folder / "config.json", config | ({"license": gpt2.licence} if gpt2.licence else {}))


def _read_tokenizer(folder: Path, shown: str) -> Tokenizer:
    from transformers import PreTrainedTokenizerFast  # takes seconds, and most bots have no GPT-2 model

    file = folder / "tokenizer.json"
    if not file.exists():
        raise ModelError(f"{shown} has no tokenizer: copy the model's original tokenizer.json into the model folder")
    try:
        check_pointer(file, f"{file.name} of {shown}")
        vocabulary = Tokenizer.from_file(str(file)).get_vocab(with_added_tokens=True)
        missing = [token for token in REQUIRED if token not in vocabulary]
        if missing:
            raise ModelError(
                f"the tokenizer of {shown} lacks the tokens {', '.join(missing)}, which separate question, emotion and "
                f"answer: {_GIVE}"
            )
        # the tokens below are special tokens, whether tokenizer.json says so or not
        present = {role: token for role, token in _ROLES.items() if token in vocabulary}
        fast: Any = PreTrainedTokenizerFast
        return cast(Tokenizer, fast(tokenizer_file=str(file), **present).backend_tokenizer)
    except EmojobError:
        raise
    except Exception as error:  # tokenizers raises Exception for a damaged file
        raise ModelError(
            f"tokenizer.json of {shown} cannot be used ({last_line(error)}): copy the model's original tokenizer.json "
            f"into the model folder"
        ) from None


def _assemble(config: dict[str, Any], weights: dict[str, Tensor], shown: str) -> Any:
    """Return the GPT2LMHeadModel with the given weights, in fp32."""
    from transformers import GPT2Config, GPT2LMHeadModel

    state = {
        name if name.startswith(("transformer.", "lm_head.")) else f"transformer.{name}": weight.float()
        for name, weight in weights.items()
        if not re.search(r"\.attn\.(?:masked_)?bias$", name)  # causal masks that older versions of transformers saved
    }
    embeddings = state.get("transformer.wte.weight")
    try:
        shape = GPT2Config.from_dict({key: value for key, value in config.items() if key not in _UNUSED_SETTINGS})
        layers = {name.split(".")[2] for name in state if name.startswith("transformer.h.")}
        if embeddings is None or shape.n_layer != len(layers):
            raise RuntimeError(f"n_layer is {shape.n_layer}, the weights have {len(layers)} layers")
        if not shape.tie_word_embeddings:
            raise RuntimeError("the output layer has weights of its own (tie_word_embeddings false)")
        state["lm_head.weight"] = embeddings
        with torch.device("meta"):
            model: Any = GPT2LMHeadModel(shape)
        model.load_state_dict(state, assign=True)
    except EmojobError:  # raised by a signal handler
        raise
    except Exception as error:  # transformers raises any exception for a wrong configuration
        raise ModelError(
            f"the weights of {shown} do not fit its config.json ({last_line(error)}): copy config.json and the weights "
            f"from the same model"
        ) from None
    model.tie_weights()
    return model.eval()


def _licence(folder: Path, config: dict[str, Any], shown: str, tokenizer: Tokenizer) -> str:
    """Return KoGPT2's licence for KoGPT2, and for a model made from it.

    The name, config.json, README.md or the vocabulary of the tokenizer shows this.
    """
    has_its_vocabulary = (
        tokenizer.get_vocab_size() == _KOGPT2_TOKENS and tokenizer.token_to_id(_KOGPT2_LAST) is not None
    )
    if "kogpt2" in shown.rstrip("/").rpartition("/")[2].casefold() or has_its_vocabulary:
        return KOGPT2_LICENCE
    said = f"{shown.strip('/')} {config.get('_name_or_path')} {config.get('license')}"
    card = folder / "README.md"
    if card.is_file():
        said += card.read_text(encoding="utf-8", errors="replace")
    return KOGPT2_LICENCE if KOGPT2 in said or _NAMES_LICENCE.search(said) else ""
