"""Read the corpora of the default model from a data folder, and encode them for pre-training and fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emojob.pipeline.models.kobert_tokenizer import KoBertTokenizer
from emojob.pipeline.models.tokenizer import Encoded
from emojob.schemas.errors import DataError, OptionError
from emojob.training.data import published
from emojob.training.data.published import Labelled
from emojob.training.default_model.multitask import Examples, balanced
from emojob.training.default_model.recipe import CORPORA, ModelRecipe

#: Folder with everyday dialogue lines, written for this project and labelled with the labels of the default model.
DIALOGUE = Path(__file__).parent / "dialogue"

#: Files that a data folder must contain.
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
    """All texts that the default model learns from or is measured on.

    Attributes:
        reviews: Film reviews.
        ratings: float32 [reviews], rating of each review from 0 to 1.
        chat: Questions and answers.
        kote: KOTE without the held-out texts.
        kote_held_out: KOTE texts for selecting the best epoch, for calibration and for measuring.
        goemotions: Train part of GoEmotions.
        goemotions_dev: Dev part of GoEmotions.
        goemotions_test: Test part of GoEmotions.
        dialogue: Dialogue lines for training.
        dialogue_test: Dialogue lines for measuring.
        dialogue_other_hand: Dialogue lines by another writer, for measuring.
        spiece: File of the SentencePiece model.
    """

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


def read_corpora(data: Path, recipe: ModelRecipe) -> Corpora:
    """Read the files of a data folder.

    Args:
        data: Path of the folder.
        recipe: The recipe, which has the number and the seed of the held-out texts.

    Raises:
        DataError: Files are missing. The message lists all of them.
        OptionError: The recipe holds out all texts of KOTE or more.
    """
    missing = [name for name in FILES.values() if not (data / name).exists()]
    if missing:
        raise DataError(
            f"the data folder {data} lacks {', '.join(missing)}; copy these files there, or give another folder"
        )
    path = {key: data / name for key, name in FILES.items()}
    reviews, ratings = published.reviews(path["reviews"])
    kote = published.kote(path["kote"])
    held_out = recipe.corpus.held_out
    if held_out >= len(kote.texts):
        raise OptionError(
            f"recipe: corpus.held_out is {held_out}, but {path['kote']} has only {len(kote.texts)} texts; give a "
            "smaller number"
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


def pretraining_texts(
    corpora: Corpora, tokenizer: KoBertTokenizer, recipe: ModelRecipe
) -> tuple[Encoded, NDArray[np.float32]]:
    """Return the texts for pre-training, and their ratings.

    Args:
        corpora: The corpora of the data folder.
        tokenizer: The model's tokenizer.
        recipe: The recipe, which says how often each corpus is repeated.

    Returns:
        The encoded texts, and their ratings float32 [texts]; NaN for a text without a rating.
    """
    texts = {"kote": corpora.kote.texts, "goemotions": corpora.goemotions.texts, "chat": corpora.chat}
    others = [text for corpus, times in recipe.pretraining.repeats.items() for text in texts[corpus] * times]
    ratings = np.concatenate([corpora.ratings, np.full(len(others), np.nan, np.float32)])
    return tokenizer.encode([*corpora.reviews, *others], recipe.corpus.max_length), ratings


def example_texts(corpora: Corpora) -> list[str]:
    """Return the texts of `labelled_examples` as strings, in the same order."""
    return [*corpora.kote.texts, *corpora.goemotions.texts, *corpora.dialogue.texts, *corpora.reviews]


def labelled_examples(corpora: Corpora, tokenizer: KoBertTokenizer, recipe: ModelRecipe) -> Examples:
    """Return all labelled texts and all reviews, with a target for each task, and with balanced classes.

    Args:
        corpora: The corpora of the data folder.
        tokenizer: The model's tokenizer.
        recipe: The recipe, which has the label maps and the settings `sharpness` and `balance`.
    """
    parts = [corpora.kote.texts, corpora.goemotions.texts, corpora.dialogue.texts, corpora.reviews]
    starts = np.cumsum([0, *map(len, parts)])
    rows_of = dict(zip(CORPORA, map(np.arange, starts[:-1], starts[1:]), strict=True))

    def known(rows: NDArray[np.int64], values: NDArray[np.float32]) -> NDArray[np.float32]:
        all_rows = np.full((starts[-1], values.shape[1]), np.nan, np.float32)
        all_rows[rows] = values
        return all_rows

    sharpness = recipe.fine_tuning.sharpness
    classes = np.concatenate(
        [
            recipe.kote.soft(corpora.kote.marks, sharpness),
            recipe.goemotions.soft(corpora.goemotions.marks, sharpness),
            corpora.dialogue.marks,
        ]
    )
    examples = Examples(
        encoded=tokenizer.encode(example_texts(corpora), recipe.corpus.max_length),
        corpora=rows_of,
        classes=known(np.arange(len(classes)), classes),
        marks={
            "kote": known(rows_of["kote"], corpora.kote.marks),
            "goemotions": known(rows_of["goemotions"], corpora.goemotions.marks),
            "rating": known(rows_of["reviews"], corpora.ratings[:, None]),
        },
    )
    return replace(examples, classes=balanced(examples, recipe.fine_tuning.balance))
