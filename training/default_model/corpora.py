"""Read the corpora of the default model from a data folder, and encode the texts for training."""

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

#: Folder with labelled dialogue lines that were written for this project.
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
    """All texts for training and measuring the default model.

    KOTE and GoEmotions are public data sets of comments with emotion labels.

    Attributes:
        reviews: Film reviews.
        ratings: float32 [reviews], rating of each review from 0 to 1.
        chat: Chit-chat questions and answers.
        kote: KOTE texts for training.
        kote_held_out: KOTE texts for model selection, calibration and measuring.
        goemotions: Texts of the GoEmotions train split.
        goemotions_dev: Texts of the GoEmotions dev split.
        goemotions_test: Texts of the GoEmotions test split.
        dialogue: Dialogue lines for training.
        dialogue_test: Dialogue lines for measuring.
        dialogue_other_hand: Dialogue lines for measuring, by a writer who did not see `dialogue`.
        spiece: Path of the SentencePiece model.
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
    """Read all corpora from a data folder.

    Args:
        data: Path of the data folder.
        recipe: The recipe. The section [corpus] sets how many KOTE texts are held out.

    Raises:
        DataError: A file is missing.
        OptionError: `corpus.held_out` is too large, so no KOTE text is left for training.
    """
    missing = [name for name in FILES.values() if not (data / name).exists()]
    if missing:
        raise DataError(
            f"the data folder {data} does not contain {', '.join(missing)}; copy the missing files into this "
            "folder, or give another data folder"
        )
    path = {key: data / name for key, name in FILES.items()}
    reviews, ratings = published.reviews(path["reviews"])
    kote = published.kote(path["kote"])
    held_out = recipe.corpus.held_out
    if held_out >= len(kote.texts):
        raise OptionError(
            f"recipe: corpus.held_out is {held_out}, but {path['kote']} has only {len(kote.texts)} texts; set "
            f"corpus.held_out to {len(kote.texts) - 1} or less"
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
    """Return the texts for pre-training, and the ratings of these texts.

    Args:
        corpora: The corpora of the data folder.
        tokenizer: Tokenizer of the model.
        recipe: The recipe. `pretraining.repeats` sets how many times each corpus is used.

    Returns:
        (encoded texts, ratings). The ratings are float32 [texts]; NaN means that a text has no rating.
    """
    texts = {"kote": corpora.kote.texts, "goemotions": corpora.goemotions.texts, "chat": corpora.chat}
    others = [text for corpus, times in recipe.pretraining.repeats.items() for text in texts[corpus] * times]
    ratings = np.concatenate([corpora.ratings, np.full(len(others), np.nan, np.float32)])
    return tokenizer.encode([*corpora.reviews, *others], recipe.corpus.max_length), ratings


def example_texts(corpora: Corpora) -> list[str]:
    """Return the texts of `labelled_examples` as strings. The order of the texts is the same."""
    return [*corpora.kote.texts, *corpora.goemotions.texts, *corpora.dialogue.texts, *corpora.reviews]


def labelled_examples(corpora: Corpora, tokenizer: KoBertTokenizer, recipe: ModelRecipe) -> Examples:
    """Return the texts for fine-tuning with their targets: all labelled texts and all reviews.

    `balanced` increases the targets of rare classes.

    Args:
        corpora: The corpora of the data folder.
        tokenizer: Tokenizer of the model.
        recipe: All settings.
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
