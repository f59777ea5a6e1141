"""Trains the linear model that finds texts about suicide or self-harm (see pipeline/rules/crisis.py).

It learns from the texts in texts/, which were written for emojob, from the built-in answer book and the sample archive,
and from texts of published corpora. These count as harmless, except texts that the rule finds. The L1
penalty keeps a few thousand n-grams. The bias is set so that the model flags a given share of the held-out texts of the
corpora.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from random import Random

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.replies.answers.builtin import read_builtin_book
from emojob.pipeline.rules.crisis import meets_wordings
from emojob.pipeline.rules.ngrams import NgramModel, ngrams, windows
from emojob.pipeline.rules.normal_text import normal_text
from emojob.schemas.errors import DataError
from emojob.training.data import published

#: The corpora, by their names in the folder of the data.
FILES = {
    "reviews": "nsmc_reviews.parquet",
    "goemotions": "goemotions_ko_train.tsv",
    "chat": "chatbot_qa.csv",
    "kote": "kote_val.tsv",
}

#: Share of the held-out texts of the corpora that the model flags, beyond those that the rule finds.
FALSE_ALARMS = 0.002

_STRENGTH = 10.0  # of the fit, against the L1 penalty
_LEAST_TEXTS = 3  # in which an n-gram is
_CRISIS, _HARMLESS, _ORDINARY = 5.0, 8.0, 0.5  # weights of the texts
_REVIEWS, _COMMENTS = 60_000, 20_000  # maximum numbers of texts
_HELD_OUT = 4  # every fourth text of the corpora


@dataclass(frozen=True)
class CrisisTexts:
    """Texts that were written for emojob.

    Attributes:
        crisis: Texts that speak of suicide or self-harm.
        harmless: Other texts with similar words.
    """

    crisis: tuple[str, ...]
    harmless: tuple[str, ...]


def read_texts() -> CrisisTexts:
    """Return the texts in texts/."""
    folder = files("emojob.training.rules") / "texts"
    read = [(folder / f"{name}.txt").read_text(encoding="utf-8").splitlines() for name in ("crisis", "harmless")]
    return CrisisTexts(tuple(read[0]), tuple(read[1]))


def read_ordinary(data: Path) -> list[str]:
    """Return texts of corpora that the rule does not find, in a random order.

    Args:
        data: Folder with the corpora of the default model.

    Raises:
        OSError: A corpus cannot be read.
    """
    random = Random(0)
    reviews, comments = published.reviews(data / FILES["reviews"])[0], published.goemotions(data / FILES["goemotions"])
    texts = random.sample(reviews, min(len(reviews), _REVIEWS))
    texts += random.sample(comments.texts, min(len(comments.texts), _COMMENTS))
    texts += published.questions_and_answers(data / FILES["chat"])
    texts += published.kote(data / FILES["kote"]).texts
    random.shuffle(texts)
    return [text for text, found in zip(texts, meets_wordings(texts), strict=True) if not found]


def train_crisis_ngrams(texts: CrisisTexts, ordinary: Sequence[str], false_alarms: float = FALSE_ALARMS) -> NgramModel:
    """Return the trained model.

    Args:
        texts: Texts to learn from.
        ordinary: Texts of corpora that the rule does not find, in a random order.
        false_alarms: Share of the held-out ordinary texts that the model flags.

    Raises:
        DataError: There are too few ordinary texts to set the bias.
    """
    held_out = ordinary[::_HELD_OUT]
    if len(held_out) * false_alarms < 1:
        raise DataError(f"{len(ordinary):,} texts of corpora are too few: give at least {_least(false_alarms):,}")
    book = read_builtin_book()
    sample = sample_texts()
    talk = [text for text, found in zip(sample, meets_wordings(sample), strict=True) if not found]
    harmless = [*texts.harmless, *book.questions, *book.answers, *talk]
    others = [one for row, one in enumerate(ordinary) if row % _HELD_OUT]
    found = [_ngrams(text) for text in (*texts.crisis, *harmless, *others)]
    names = _frequent(found)
    is_crisis = np.arange(len(found)) < len(texts.crisis)
    weights = np.repeat([_CRISIS, _HARMLESS, _ORDINARY], [len(texts.crisis), len(harmless), len(others)])
    fitted = LogisticRegression(l1_ratio=1.0, C=_STRENGTH, solver="liblinear", max_iter=300, random_state=0)
    fitted.fit(_matrix(found, names), is_crisis, sample_weight=weights)
    kept = {name: float(weight) for name, weight in zip(names, fitted.coef_[0], strict=True) if weight}
    scores = sorted((NgramModel(kept, 0.0).score(normal_text(text)) for text in held_out), reverse=True)
    return NgramModel(kept, -scores[int(len(scores) * false_alarms)])


def _least(false_alarms: float) -> int:
    return math.ceil(1 / false_alarms) * _HELD_OUT


def _ngrams(text: str) -> set[str]:
    return set().union(*(ngrams(words) for words in windows(normal_text(text))))


def _frequent(found: Sequence[set[str]]) -> list[str]:
    """Return the n-grams that are in at least _LEAST_TEXTS texts, sorted."""
    counts: dict[str, int] = {}
    for one in found:
        for name in one:
            counts[name] = counts.get(name, 0) + 1
    return sorted(name for name, count in counts.items() if count >= _LEAST_TEXTS)


def _matrix(found: Sequence[set[str]], names: Sequence[str]) -> csr_matrix:
    """Return the features: [texts, n-grams], 1 / sqrt(n-grams of the text) for each n-gram of the text."""
    columns = {name: column for column, name in enumerate(names)}
    known = [sorted(columns[name] for name in one if name in columns) for one in found]
    ends = np.cumsum([0, *map(len, known)])
    values = np.repeat([1 / math.sqrt(max(1, len(one))) for one in found], np.diff(ends))
    return csr_matrix(
        (values, np.concatenate([np.array(row, np.int64) for row in known]), ends), (len(found), len(names))
    )
