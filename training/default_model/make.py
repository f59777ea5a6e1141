"""Make the default model: pre-train, fine-tune, distill, calibrate, measure, and write the model folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from emojob.pipeline.models.bert import BertShape, Classifier
from emojob.pipeline.models.kobert_tokenizer import KoBertTokenizer
from emojob.pipeline.models.saving import Trained, write_model_folder
from emojob.pipeline.storage.atomic import write_json
from emojob.schemas.errors import OptionError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.data.label_map import LabelMap
from emojob.training.data.published import Labelled
from emojob.training.default_model.corpora import (
    Corpora,
    example_texts,
    labelled_examples,
    pretraining_texts,
    read_corpora,
)
from emojob.training.default_model.distillation import find_base, teacher_logits, with_soft_targets
from emojob.training.default_model.model_card import model_card
from emojob.training.default_model.multitask import fine_tune, macro_f1_on
from emojob.training.default_model.pretraining import Pretrainer, pretrain
from emojob.training.default_model.recipe import ModelRecipe
from emojob.training.evaluation.calibration import fit_temperature
from emojob.training.evaluation.metrics import Evaluation
from emojob.training.evaluation.predict import evaluate_classifier, predict_logits
from emojob.training.finetune.checkpoints import store_weights

STORED_IN = torch.bfloat16

#: Sections of a recipe. If a section changes, the results in the work folder are not valid any more.
STORED_SECTIONS = ("shape", "corpus", "pretraining", "fine_tuning", "teacher")

#: Label map that does not change the six labels of the default model.
IDENTITY_MAP = LabelMap(DEFAULT_LABELS, np.eye(len(DEFAULT_LABELS), dtype=np.float32))


def make_default_model(
    data: Path, out: Path, work: Path, recipe: ModelRecipe, report: Callable[[str], None], device: str = "cpu"
) -> dict[str, Any]:
    """Make the default model, write the model folder, and return the metrics.

    Args:
        data: Folder with the corpora.
        out: Folder for the model.
        work: Folder for intermediate results. To resume after an interruption, give the same folder.
        recipe: All settings.
        report: callback(line), called with progress.
        device: cpu or cuda.

    Raises:
        DataError: A file is missing in `data`.
        OptionError: The recipe does not fit the tokenizer, or `work` contains results of a different recipe.
        ModelError: The base model of the teacher is not available or cannot be used.
    """
    corpora = read_corpora(data, recipe)
    tokenizer = KoBertTokenizer(corpora.spiece)
    if tokenizer.vocab_size != recipe.shape.vocab_size:
        raise OptionError(
            f"recipe: model.vocab_size is {recipe.shape.vocab_size}, but {corpora.spiece} has {tokenizer.vocab_size} "
            f"pieces; set model.vocab_size to {tokenizer.vocab_size}"
        )
    work.mkdir(parents=True, exist_ok=True)
    _begin_or_resume(work, recipe)
    find_base(recipe.teacher.base, work)  # fail early if the base model is not available
    labelled = len(corpora.kote.texts) + len(corpora.goemotions.texts)
    report(f"pre-training on {len(corpora.reviews) + len(corpora.chat):,} unlabelled and {labelled:,} labelled texts")
    encoded, ratings = pretraining_texts(corpora, tokenizer, recipe)
    checkpoint = work / "pretraining.pt"
    pretrained = pretrain(
        encoded, ratings, recipe.shape, tokenizer.mask_id, recipe.pretraining, checkpoint, report, device
    )
    trained = fine_tuned(pretrained, corpora, tokenizer, recipe, work, report, device)
    metrics = measure(trained, corpora, tokenizer, recipe)
    card = model_card(metrics, len(corpora.dialogue.texts), recipe)
    write_model_folder(out, trained, tokenizer, metrics, card, STORED_IN)
    report(f"wrote {out}")
    return metrics


def fine_tuned(
    pretrained: Pretrainer,
    corpora: Corpora,
    tokenizer: KoBertTokenizer,
    recipe: ModelRecipe,
    work: Path,
    report: Callable[[str], None],
    device: str = "cpu",
) -> Trained:
    """Fine-tune and calibrate the model.

    Round 1 uses the labels. Round 2 uses the labels and the soft targets (see `distillation`).

    Args:
        pretrained: The pre-trained model.
        corpora: The corpora. The held-out KOTE texts are used for model selection and calibration.
        tokenizer: Tokenizer of the model.
        recipe: All settings.
        work: Folder for the fine-tuned model and the logits of the teacher.
        report: callback(line), called with progress.
        device: cpu or cuda.
    """
    settings, labels = recipe.fine_tuning, recipe.kote.hard(corpora.kote_held_out.marks)
    held_out = tokenizer.encode(corpora.kote_held_out.texts, recipe.corpus.max_length)
    judge = macro_f1_on(held_out, labels)
    examples = labelled_examples(corpora, tokenizer, recipe)
    torch.manual_seed(settings.seed)
    body = _with_new_head(pretrained, recipe.shape, len(DEFAULT_LABELS)).to(device)
    stored = work / "fine_tuned.safetensors"
    if not stored.exists():
        report(f"fine-tuning on the labels; {len(labels):,} texts are held out")
        store_weights(fine_tune(body, examples, settings, judge, report).state_dict(), stored)
    body.load_state_dict(load_file(stored))
    held_out_texts = (corpora.kote_held_out.texts, labels)
    logits = teacher_logits(example_texts(corpora), examples, held_out_texts, recipe, work, report, device)
    examples = with_soft_targets(body, examples, logits, recipe.distillation)
    report(f"fine-tuning on the labels and on soft targets for {len(examples.corpora['reviews']):,} reviews")
    settings = replace(settings, phases=recipe.distillation.phases)
    classifier = rounded_to(STORED_IN, fine_tune(body, examples, settings, judge, report))
    temperature = fit_temperature(predict_logits(classifier, held_out), labels)
    return Trained(classifier, recipe.shape, DEFAULT_LABELS, temperature)


def measure(trained: Trained, corpora: Corpora, tokenizer: KoBertTokenizer, recipe: ModelRecipe) -> dict[str, Any]:
    """Measure the model on texts that were not used for training. Return the content of metrics.json.

    Args:
        trained: The model.
        corpora: The corpora of the data folder.
        tokenizer: Tokenizer of the model.
        recipe: The recipe with the label maps and `corpus.max_length`.
    """

    def figures(labelled: Labelled, label_map: LabelMap) -> Evaluation:
        encoded = tokenizer.encode(labelled.texts, recipe.corpus.max_length)
        labels = label_map.hard(labelled.marks)
        return evaluate_classifier(trained.classifier, encoded, labels, trained.labels, temperature=trained.temperature)

    return {
        "temperature": round(trained.temperature, 4),
        "kote_held_out": figures(corpora.kote_held_out, recipe.kote).as_json(),
        "goemotions_dev": figures(corpora.goemotions_dev, recipe.goemotions).as_json(),
        "goemotions_test": figures(corpora.goemotions_test, recipe.goemotions).as_json(),
        "dialogue_test": figures(corpora.dialogue_test, IDENTITY_MAP).as_json(),
        "dialogue_other_hand": figures(corpora.dialogue_other_hand, IDENTITY_MAP).as_json(),
    }


def rounded_to(dtype: torch.dtype, classifier: Classifier) -> Classifier:
    """Round each weight to a value that `dtype` can store. The weights of the returned classifier are float32."""
    return classifier.to(dtype).float().eval()


def _with_new_head(pretrained: Pretrainer, shape: BertShape, labels: int) -> Classifier:
    classifier = Classifier(shape, labels)
    torch.nn.init.normal_(classifier.head.weight, std=0.02)
    torch.nn.init.zeros_(classifier.head.bias)
    body = {name: w for name, w in pretrained.body.state_dict().items() if not name.startswith("head.")}
    classifier.load_state_dict(body, strict=False)
    return classifier


def _begin_or_resume(work: Path, recipe: ModelRecipe) -> None:
    """Store the recipe in a new work folder. In an existing work folder, compare the recipe with the stored recipe.

    Raises:
        OptionError: The two recipes differ in `STORED_SECTIONS`.
    """
    sections = {section: dataclasses.asdict(getattr(recipe, section)) for section in STORED_SECTIONS}
    ours = json.loads(json.dumps(sections))  # convert tuples to lists, as in the JSON file
    record = work / "begun_with.json"
    if not record.exists():
        write_json(record, ours)
        return
    recorded = json.loads(record.read_text(encoding="utf-8"))
    changed = [section for section in ours if recorded.get(section) != ours[section]]
    if changed:
        raise OptionError(
            f"the recipe has changed since the results in the work folder {work} were made (changed: "
            f"{', '.join(changed)}); give an empty folder with --work"
        )
