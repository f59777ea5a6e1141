"""Makes a model folder of a checkpoint."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from emojob.pipeline.models import model_folder
from emojob.pipeline.models.bert import BertShape
from emojob.pipeline.models.checkpoints.contents import CheckpointWeights
from emojob.pipeline.models.checkpoints.files import read_checkpoint
from emojob.pipeline.models.checkpoints.names import Parts, find_parts
from emojob.pipeline.models.checkpoints.sizes import infer_shape
from emojob.pipeline.models.kobert_tokenizer import KoBertTokenizer
from emojob.pipeline.models.label_names import contradiction, differences, real_names
from emojob.pipeline.models.model import read_context, read_temperature
from emojob.pipeline.models.model_folder import SPIECE_SOURCE
from emojob.pipeline.models.refusals import check_pointer, check_task
from emojob.pipeline.models.saving import model_config, write_files
from emojob.pipeline.models.tokenizer import Tokenizer
from emojob.pipeline.storage.folders import sync_folder
from emojob.pipeline.storage.paths import make_folder, output_errors
from emojob.pipeline.storage.temporary import temporary_folder
from emojob.schemas.errors import ModelError, OptionError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.schemas.messages import counted, listed

_WORDS = "bert.embeddings.word_embeddings.weight"
_MOST_UNUSED = 512  # rows of the word embeddings; trainers round their number up to a multiple of 8, 64 or 128
_HALF = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Converted:
    """A model that was read from a checkpoint.

    Attributes:
        weights: {name in transformers: tensor}.
        shape: Sizes of the model.
        tokenizer: The tokenizer that the model needs.
        dtype: dtype in which the weights are saved.
        head: Name of the head in the checkpoint; None for a base model without a classification head.
        labels: Names of the labels, in id order; empty for a base model.
        temperature: Number by which the logits are divided before the softmax.
        context: `none` or `previous`, as in `Model`.
        found: What was found in the checkpoint, one line each.
        dropped: What is left out, one line each.
        assumed: What no weight shows, one line each.
        notes: What the user should check, one line each.
    """

    weights: dict[str, Tensor]
    shape: BertShape
    tokenizer: Tokenizer
    dtype: torch.dtype
    head: str | None
    labels: tuple[str, ...] = ()
    temperature: float = 1.0
    context: str = "none"
    found: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        """Write a model folder. Raises OSError."""
        about = {"found": self.found, "dropped": self.dropped, "assumed": self.assumed}
        what = "A KoBERT classifier" if self.labels else "A KoBERT base model without a classification head"
        card = f"# {what}\n\nMade by `emojob convert`.\n\n" + "".join(
            f"- {name}: {line}\n" for name, lines in about.items() for line in lines
        )
        config = model_config(self.shape, self.labels, self.temperature, self.context, self.dtype)
        write_files(folder, self.weights, config, self.tokenizer, {"generator": "emojob", **about}, card, self.dtype)


@dataclass
class _Report:
    found: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def convert(
    checkpoint: Path,
    labels: Sequence[str] | None,
    tokenizer: Path | None = None,
    base: str | None = None,
    key: str | None = None,
) -> Converted:
    """Read a checkpoint as a classifier, or as a base model if it has no head. No code in the checkpoint runs.

    Args:
        checkpoint: A file of `torch.save`, `pickle.dump` or safetensors, or a folder that contains one.
        labels: Names of the labels in id order. None: take the names from config.json in the folder of the checkpoint.
        tokenizer: File or folder of the tokenizer. None: search beside the checkpoint, then in `base`.
        base: Folder or hub name of a model of the same kind, for its config.json and its tokenizer.
        key: Key of the weights in the file, if the file contains the weights of several models.

    Raises:
        ModelError: The checkpoint cannot be used.
        OptionError: The labels or the key do not fit the checkpoint.
    """
    shown = f"CHECKPOINT {checkpoint}"
    read = read_checkpoint(checkpoint, key)
    parts = find_parts(read.weights, shown)
    own = _own_config(checkpoint, read.file)
    config, base_folder = (own, None) if base is None else _base_config(base)
    report = _Report(notes=[*read.notes])
    names = _labels(labels, config, parts, shown)
    if names:
        report.notes += _label_notes(names, config, own)
    shape, assumed = infer_shape(parts.weights, config, shown)
    found_tokenizer = _tokenizer(tokenizer, read.file, base_folder)
    _report_parts(report, read, parts, found_tokenizer)
    weights, dtype = _tensors(parts.weights, report, shown)
    weights = _cut_rows(weights, found_tokenizer, report, shown)
    shape = replace(shape, vocab_size=len(weights[_WORDS]), pad_id=found_tokenizer.pad_id)
    model_folder.check_tokenizer(found_tokenizer, {}, weights, shown)
    if names and (config is None or base is not None):
        assumed.append("the head reads BERT's pooled output, as in the notebook")
    report.assumed += [*assumed, *(f"{name} is zero, because the checkpoint has none" for name in parts.invented)]
    ours = {} if base is not None else config or {}
    return Converted(
        weights, shape, found_tokenizer, dtype, parts.head, names, read_temperature(ours, shown),
        read_context(ours, shape, shown), tuple(report.found), tuple(report.dropped), tuple(report.assumed),
        tuple(report.notes),
    )  # fmt: skip


def _own_config(checkpoint: Path, file: Path) -> dict[str, Any] | None:
    """Return the content of the config.json that belongs to a checkpoint; None if there is none."""
    name = file.name.removesuffix(".index.json")
    is_of_checkpoint = checkpoint.is_dir() or name in ("pytorch_model.bin", "model.safetensors")
    if is_of_checkpoint and (file.parent / "config.json").is_file():
        return model_folder.read_config(file.parent, f"CHECKPOINT {checkpoint}")
    return None


def _base_config(base: str) -> tuple[dict[str, Any], Path]:
    """Return (content of config.json, folder) of the base model."""
    folder = model_folder.find_folder(base, "--base")
    return model_folder.read_config(folder, f"--base {base}"), folder


# -- labels ------------------------------------------------------------------------------------------------------------


def _labels(given: Sequence[str] | None, config: dict[str, Any] | None, parts: Parts, shown: str) -> tuple[str, ...]:
    """Return the names of the labels; none for a base model.

    Raises:
        ModelError: The head is no classifier with one label for each text.
        OptionError: The names do not fit the number of outputs.
    """
    if parts.head is None:
        if given is not None:
            raise OptionError(
                f"{shown} is a base model without a classification head, so --labels name nothing: omit --labels, and "
                f"fine-tune the model folder with `emojob train --base DIR --data FILE -o NEW`"
            )
        return ()
    outputs = len(parts.weights["classifier.weight"])
    check_task(config or {}, outputs, shown)
    names = tuple(given) if given is not None else real_names(config or {}, outputs)
    example = ",".join(DEFAULT_LABELS) if outputs == len(DEFAULT_LABELS) else "L1,L2,..."
    if names is None:
        raise OptionError(
            f"{shown} has {outputs} outputs without names: give {outputs} names in the order of the training, for "
            f"example --labels {example}"
        )
    if len(names) != outputs:
        raise OptionError(
            f"--labels has {counted(len(names), 'name')} ({listed(names)}), but {shown} has {outputs} outputs: give "
            f"{outputs} names in the order of the training"
        )
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice or not all(names):
        what = f"the name {listed(twice[:1])} twice" if twice else "an empty name"
        raise OptionError(f"--labels has {what}: give {outputs} different names, separated by commas")
    return names


def _label_notes(names: Sequence[str], config: dict[str, Any] | None, own: dict[str, Any] | None) -> list[str]:
    """Return messages about names of labels that contradict the config.json of the checkpoint or of the base model."""
    if own is not None:
        found = contradiction(own, "the checkpoint", "--check FILE (texts with labels)")
        return found + differences(names, own, "the checkpoint", is_own=True)
    return differences(names, config or {}, "--base", is_own=False)


# -- tokenizer ---------------------------------------------------------------------------------------------------------


def _tokenizer(given: Path | None, checkpoint: Path, base: Path | None) -> Tokenizer:
    """Return the tokenizer: the given one, one beside the checkpoint, or that of the base model."""
    if given is not None and given.is_file():
        return _from_file(given)
    if given is not None:
        if not given.is_dir():
            raise ModelError(f"--tokenizer {given} does not exist: give a file or a folder. {SPIECE_SOURCE}")
        return model_folder.read_tokenizer(given, f"--tokenizer {given}")
    for folder, shown in ((checkpoint.parent, f"CHECKPOINT {checkpoint}"), (base, f"--base {base}")):
        if folder is not None and any((folder / name).exists() for name in model_folder.TOKENIZER_FILES):
            return model_folder.read_tokenizer(folder, shown)
    raise ModelError(
        f"no tokenizer is beside CHECKPOINT {checkpoint}: give the one of the training with --tokenizer FILE. "
        f"{SPIECE_SOURCE}"
    )


def _from_file(file: Path) -> Tokenizer:
    if file.name in ("tokenizer.json", "vocab.txt"):
        return model_folder.read_tokenizer(file.parent, f"--tokenizer {file}")
    try:
        check_pointer(file, f"--tokenizer {file}")
        return KoBertTokenizer(file)
    except (ValueError, OSError) as error:
        raise ModelError(f"--tokenizer cannot be used: {error}. {SPIECE_SOURCE}") from None


# -- weights -----------------------------------------------------------------------------------------------------------


def _report_parts(report: _Report, read: CheckpointWeights, parts: Parts, tokenizer: Tokenizer) -> None:
    where = " > ".join(read.where)
    prefix = parts.prefix or "no prefix"
    report.found.append(
        f"{read.file.name}{f', key {where}' if where else ''}: encoder {prefix}, head {parts.head or 'none'}, "
        f"tokenizer {' and '.join(map(str, tokenizer.files))}"
    )
    if read.dropped:
        report.dropped.append(f"beside the weights: {listed(read.dropped)}")
    if parts.dropped:
        report.dropped.append(f"not needed: {listed(parts.dropped)}")


def _tensors(weights: dict[str, Tensor], report: _Report, shown: str) -> tuple[dict[str, Tensor], torch.dtype]:
    """Return the weights, and the dtype in which they are saved without loss."""
    kinds = {weight.dtype for weight in weights.values()}
    wrong = {
        name: weight.dtype
        for name, weight in weights.items()
        if weight.dtype not in (*_HALF, torch.float32, torch.float64)
    }
    if wrong:
        name, kind = next(iter(wrong.items()))
        raise ModelError(
            f"{shown} has the weight {name} in {str(kind).removeprefix('torch.')} (quantized), but emojob reads only "
            f"fp32, fp64, fp16 and bf16: save the weights before quantization"
        )
    for name, weight in weights.items():
        low, high = weight.aminmax()  # NaN if a number is NaN
        if not math.isfinite(float(high)) or not math.isfinite(float(low)):
            raise ModelError(
                f"{shown} has NaN or infinite numbers in {name}, so it computes no probabilities: give a checkpoint "
                f"from before the training failed"
            )
    if torch.float64 in kinds:
        report.dropped.append("the digits of fp64 weights beyond fp32")
    dtype = kinds.pop() if len(kinds) == 1 and kinds <= {*_HALF} else torch.float32
    return dict(weights), dtype


def _cut_rows(weights: dict[str, Tensor], tokenizer: Tokenizer, report: _Report, shown: str) -> dict[str, Tensor]:
    """Cut the rows of the word embeddings that no piece of the tokenizer uses."""
    rows, pieces = len(weights[_WORDS]), tokenizer.vocab_size
    if rows < pieces:
        raise ModelError(
            f"the tokenizer {tokenizer.files[0].name} has {pieces:,} pieces, but {shown} has word embeddings for "
            f"{rows:,}: give the tokenizer of the training with --tokenizer. {SPIECE_SOURCE}"
        )
    if rows > pieces:
        added = _added_tokens(tokenizer)
        if added:
            raise ModelError(
                f"{shown} has word embeddings for {rows:,} tokens, and {added[0].name} adds tokens to the {pieces:,} "
                f"pieces of {tokenizer.files[0].name}, which emojob does not support: fine-tune without added tokens"
            )
        if rows - pieces > max(_MOST_UNUSED, pieces // 3):
            raise ModelError(
                f"the tokenizer {tokenizer.files[0].name} has {pieces:,} pieces, but {shown} has word embeddings for "
                f"{rows:,}: give the tokenizer of the training with --tokenizer. {SPIECE_SOURCE}"
            )
        weights = {**weights, _WORDS: weights[_WORDS][:pieces]}
        report.dropped.append(
            f"{rows - pieces:,} of {rows:,} rows of the word embeddings, because {tokenizer.files[0].name} has "
            f"{pieces:,} pieces"
        )
    return weights


def _added_tokens(tokenizer: Tokenizer) -> list[Path]:
    """Return the file that adds tokens to the SentencePiece model, if it lies beside the model."""
    file = tokenizer.files[0].parent / "added_tokens.json"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    ids = content.values() if isinstance(content, dict) else []
    return [file] if any(isinstance(i, int) and i >= tokenizer.vocab_size for i in ids) else []


# -- writing -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def new_model_folder(out: Path, converted: Converted) -> Iterator[Path]:
    """Write a model folder that gets its name when the `with` block ends. If the block fails, nothing is left.

    Args:
        out: The model folder; it must not exist, or must be empty.
        converted: The classifier to write.

    Yields:
        The temporary folder with the complete model.

    Raises:
        StorageError: The folder cannot be written.
    """
    with contextlib.ExitStack() as stack:
        with output_errors(out):
            make_folder(out.parent)
            parent = stack.enter_context(temporary_folder(out.parent, out.name))
            converted.write(parent / "model")
        yield parent / "model"
        with output_errors(out):
            (parent / "model").rename(out)
            sync_folder(out.parent)
