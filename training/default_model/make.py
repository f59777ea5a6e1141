"""The default model, from plain texts to the finished folder: pre-train, fine-tune, be taught, calibrate, measure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from emojob.pipeline.models.bert import BertShape, Classifier
from emojob.pipeline.models.kobert_tokenizer import KoBertTokenizer
from emojob.pipeline.models.saving import Trained, write_model_folder
from emojob.pipeline.models.tokenizer import Encoded
from emojob.pipeline.storage.atomic import write_json
from emojob.schemas.errors import DataError, OptionError
from emojob.schemas.labels import DEFAULT_LABELS
from emojob.training.data import published
from emojob.training.data.label_map import LabelMap
from emojob.training.data.published import Labelled
from emojob.training.default_model.distillation import find_base, teachers_opinion, with_opinion
from emojob.training.default_model.model_card import model_card
from emojob.training.default_model.multitask import Examples, balanced, fine_tune, macro_f1_on
from emojob.training.default_model.pretraining import Pretrainer, pretrain
from emojob.training.default_model.recipe import CORPORA, ModelRecipe
from emojob.training.evaluation.calibration import fit_temperature
from emojob.training.evaluation.metrics import Evaluation
from emojob.training.evaluation.predict import evaluate_classifier, predict_logits
from emojob.training.finetune.checkpoints import store_weights

#: Everyday dialogue lines with the default model's labels, written for this project: train.csv and test.csv.
DIALOGUE = Path(__file__).parent / "dialogue"

STORED_IN = torch.bfloat16

#: The parts of a recipe whose results are kept in the work folder.
KEPT_OF = ("shape", "corpus", "pretraining", "fine_tuning", "teacher")

#: The label map of texts that bear the default model's own labels.
AS_THEY_ARE = LabelMap(DEFAULT_LABELS, np.eye(len(DEFAULT_LABELS), dtype=np.float32))

#: The files of a data folder.
FILES = {
    "reviews": "nsmc_reviews.parquet",
    "kote": "kote_val.tsv",
    "goemotions": "goemotions_ko_train.tsv",
    "goemotions_dev": "goemotions_ko_dev.tsv",
    "goemotions_test": "goemotions_ko_test.tsv",
    "chat": "chatbot_qa.csv",
    "spiece": "tokenizer/spiece.model",
}


@dataclass(frozen=True)
class Corpora:
    """Everything the default model learns from or is measured on. ratings: float32 [reviews] in 0..1."""

    reviews: list[str]
    ratings: NDArray[np.float32]
    chat: list[str]
    kote: Labelled
    kote_held_out: Labelled
    goemotions: Labelled
    goemotions_dev: Labelled
    goemotions_test: Labelled
    dialogue: Labelled
    dialogue_test: Labelled
    dialogue_other_hand: Labelled
    spiece: Path


def make_default_model(
    data: Path, out: Path, work: Path, recipe: ModelRecipe, report: Callable[[str], None], device: str = "cpu"
) -> dict[str, Any]:
    """Make the model folder `out` from the corpora in `data`, and return its measured figures.

    work: holds what is done so far; the same call goes on with it where an earlier one stopped. `report` gets lines of
    progress. Raises DataError where a file of `data` is missing, OptionError where the recipe does not
    fit the tokenizer, or `work` was begun with another recipe, and ModelError where the teacher cannot be had.
    """
    read = read_corpora(data, recipe)
    tokenizer = KoBertTokenizer(read.spiece)
    if tokenizer.vocab_size != recipe.shape.vocab_size:
        raise OptionError(
            f"recipe: model.vocab_size is {recipe.shape.vocab_size}, but {read.spiece} has {tokenizer.vocab_size} "
            "pieces; make them agree"
        )
    work.mkdir(parents=True, exist_ok=True)
    _claim(work, recipe)
    find_base(recipe.teacher.base, work)  # now, rather than after hours of pre-training
    report(f"pre-training on {len(read.reviews) + len(read.chat):,} unlabelled and {_labelled(read):,} labelled texts")
    encoded, ratings = _plain_texts(read, tokenizer, recipe)
    checkpoint = work / "pretraining.pt"
    pretrained = pretrain(
        encoded, ratings, recipe.shape, tokenizer.mask_id, recipe.pretraining, checkpoint, report, device
    )
    trained = fine_tuned(pretrained, read, tokenizer, recipe, work, report, device)
    metrics = measure(trained, read, tokenizer, recipe)
    card = model_card(metrics, len(read.dialogue.texts), recipe)
    write_model_folder(out, trained, tokenizer, metrics, card, STORED_IN)
    report(f"wrote {out}")
    return metrics


def read_corpora(data: Path, recipe: ModelRecipe) -> Corpora:
    """Read the files of a data folder. Raises DataError that names those that are missing."""
    missing = [name for name in FILES.values() if not (data / name).exists()]
    if missing:
        raise DataError(f"{data} lacks {', '.join(missing)}; put the corpora there, or name another folder")
    path = {key: data / name for key, name in FILES.items()}
    reviews, ratings = published.reviews(path["reviews"])
    kote = published.kote(path["kote"])
    held_out = recipe.corpus.held_out
    if held_out >= len(kote.texts):
        raise OptionError(
            f"recipe: corpus.held_out is {held_out}, but {path['kote']} has {len(kote.texts)} texts; hold out fewer"
        )
    order = np.random.default_rng(recipe.corpus.held_out_seed).permutation(len(kote.texts))
    return Corpora(
        reviews=reviews,
        ratings=ratings,
        chat=published.questions_and_answers(path["chat"]),
        kote=kote.take(np.sort(order[held_out:])),
        kote_held_out=kote.take(order[:held_out]),
        goemotions=published.goemotions(path["goemotions"]),
        goemotions_dev=published.goemotions(path["goemotions_dev"]),
        goemotions_test=published.goemotions(path["goemotions_test"]),
        dialogue=published.dialogue(DIALOGUE / "train.csv"),
        dialogue_test=published.dialogue(DIALOGUE / "test.csv"),
        dialogue_other_hand=published.dialogue(DIALOGUE / "other_hand.csv"),
        spiece=path["spiece"],
    )


def fine_tuned(
    pretrained: Pretrainer,
    read: Corpora,
    tokenizer: KoBertTokenizer,
    recipe: ModelRecipe,
    work: Path,
    report: Callable[[str], None],
    device: str = "cpu",
) -> Trained:
    """Fine-tune on the labels, then on the teacher's opinion too, and calibrate.

    Epochs and the temperature are chosen on the held-out texts. work: keeps the fine-tuned model and the opinion.
    """
    tuning, labels = recipe.fine_tuning, recipe.kote.hard(read.kote_held_out.marks)
    held_out = tokenizer.encode(read.kote_held_out.texts, recipe.corpus.max_length)
    judge = macro_f1_on(held_out, labels)
    examples = labelled_examples(read, tokenizer, recipe)
    torch.manual_seed(tuning.seed)
    body = _with_new_head(pretrained, recipe.shape, len(DEFAULT_LABELS)).to(device)
    done = work / "fine_tuned.safetensors"
    if not done.exists():
        report(f"fine-tuning on the labels, {len(labels):,} texts held out")
        store_weights(fine_tune(body, examples, tuning, judge, report).state_dict(), done)
    body.load_state_dict(load_file(done))
    opinion = teachers_opinion(
        learnt_from(read), examples, (read.kote_held_out.texts, labels), recipe, work, report, device
    )
    taught = with_opinion(body, examples, opinion, recipe.distillation)
    report(f"fine-tuning on the labels and the teacher's opinion of {len(taught.corpora['reviews']):,} reviews")
    again = replace(tuning, phases=recipe.distillation.phases)
    classifier = stored(fine_tune(body, taught, again, judge, report), STORED_IN)
    temperature = fit_temperature(predict_logits(classifier, held_out), labels)
    return Trained(classifier, recipe.shape, DEFAULT_LABELS, temperature)


def measure(trained: Trained, read: Corpora, tokenizer: KoBertTokenizer, recipe: ModelRecipe) -> dict[str, Any]:
    """The model's figures on texts it did not learn from, as they stand in metrics.json and in the card."""

    def on(labelled: Labelled, label_map: LabelMap) -> Evaluation:
        encoded = tokenizer.encode(labelled.texts, recipe.corpus.max_length)
        labels = label_map.hard(labelled.marks)
        return evaluate_classifier(trained.classifier, encoded, labels, trained.labels, temperature=trained.temperature)

    return {
        "temperature": round(trained.temperature, 4),
        "kote_held_out": on(read.kote_held_out, recipe.kote).as_json(),
        "goemotions_dev": on(read.goemotions_dev, recipe.goemotions).as_json(),
        "goemotions_test": on(read.goemotions_test, recipe.goemotions).as_json(),
        "dialogue_test": on(read.dialogue_test, AS_THEY_ARE).as_json(),
        "dialogue_other_hand": on(read.dialogue_other_hand, AS_THEY_ARE).as_json(),
    }


def learnt_from(read: Corpora) -> list[str]:
    """The texts of `labelled_examples`, one corpus behind the other."""
    return [*read.kote.texts, *read.goemotions.texts, *read.dialogue.texts, *read.reviews]


def labelled_examples(read: Corpora, tokenizer: KoBertTokenizer, recipe: ModelRecipe) -> Examples:
    """The texts one corpus behind the other, each with what is known of it; the classes are balanced."""
    parts = [read.kote.texts, read.goemotions.texts, read.dialogue.texts, read.reviews]
    starts = np.cumsum([0, *map(len, parts)])
    places = dict(zip(CORPORA, map(np.arange, starts[:-1], starts[1:]), strict=True))

    def known(rows: NDArray[np.int64], values: NDArray[np.float32]) -> NDArray[np.float32]:
        whole = np.full((starts[-1], values.shape[1]), np.nan, np.float32)
        whole[rows] = values
        return whole

    sharpness = recipe.fine_tuning.sharpness
    classes = np.concatenate(
        [
            recipe.kote.soft(read.kote.marks, sharpness),
            recipe.goemotions.soft(read.goemotions.marks, sharpness),
            read.dialogue.marks,
        ]
    )
    examples = Examples(
        encoded=tokenizer.encode(learnt_from(read), recipe.corpus.max_length),
        corpora=places,
        classes=known(np.arange(len(classes)), classes),
        marks={
            "kote": known(places["kote"], read.kote.marks),
            "goemotions": known(places["goemotions"], read.goemotions.marks),
            "rating": known(places["reviews"], read.ratings[:, None]),
        },
    )
    return replace(examples, classes=balanced(examples, recipe.fine_tuning.balance))


def stored(classifier: Classifier, dtype: torch.dtype) -> Classifier:
    """The classifier with its weights rounded to what will be stored, in float32 again."""
    return classifier.to(dtype).float().eval()


def _plain_texts(read: Corpora, tokenizer: KoBertTokenizer, recipe: ModelRecipe) -> tuple[Encoded, NDArray[np.float32]]:
    """What pre-training reads, and each text's rating, NaN where it has none."""
    texts = {"kote": read.kote.texts, "goemotions": read.goemotions.texts, "chat": read.chat}
    others = [text for corpus, times in recipe.pretraining.repeats.items() for text in texts[corpus] * times]
    ratings = np.concatenate([read.ratings, np.full(len(others), np.nan, np.float32)])
    return tokenizer.encode([*read.reviews, *others], recipe.corpus.max_length), ratings


def _with_new_head(pretrained: Pretrainer, shape: BertShape, labels: int) -> Classifier:
    classifier = Classifier(shape, labels)
    torch.nn.init.normal_(classifier.head.weight, std=0.02)
    torch.nn.init.zeros_(classifier.head.bias)
    body = {k: w for k, w in pretrained.body.state_dict().items() if not k.startswith("head.")}
    classifier.load_state_dict(body, strict=False)
    return classifier


def _claim(work: Path, recipe: ModelRecipe) -> None:
    """Note in the work folder what it is begun with; work begun with another recipe is not gone on with."""
    parts = {part: dataclasses.asdict(getattr(recipe, part)) for part in KEPT_OF}
    ours = json.loads(json.dumps(parts))  # as it comes back: lists, no tuples
    note = work / "begun_with.json"
    if not note.exists():
        write_json(note, ours)
        return
    theirs = json.loads(note.read_text(encoding="utf-8"))
    changed = [part for part in ours if theirs.get(part) != ours[part]]
    if changed:
        raise OptionError(
            f"the work folder {work} was begun with another {' and '.join(changed)}; give --work an empty folder"
        )


def _labelled(read: Corpora) -> int:
    return len(read.kote.texts) + len(read.goemotions.texts)
