"""Reads the English and Korean texts about a model: on its page, and in the tables of the terminal."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from emojob.training.data.annotated import AnnotatedCounts
from emojob.training.evaluation.intervals import FEWEST_FOR_CALIBRATION, FEWEST_OF_CLASS, FEWEST_TEXTS
from emojob.training.evaluation.metrics import TOO_FEW

Words = dict[str, Any]


@functools.cache
def words_of(language: str) -> Words:
    """Return the texts as {name: text}. The language is en or ko."""
    content = files("emojob.training.evaluation").joinpath("words.toml").read_text(encoding="utf-8")
    return dict(tomllib.loads(content)[language])


def model_shown(name: str, words: Words) -> str:
    """Return the name of a model; for the default model, its name in the language of `words`."""
    return str(words["default_model"]) if name == words_of("en")["default_model"] else name


def too_few_legend(words: Words) -> str:
    """Return the sentence that explains the dash in place of a metric."""
    fewest = {"of_class": FEWEST_OF_CLASS, "texts": FEWEST_TEXTS, "calibration": FEWEST_FOR_CALIBRATION}
    return str(words["too_few"].format(dash=TOO_FEW, **fewest))


def counts_line(counts: AnnotatedCounts, words: Words) -> str:
    """Return the numbers of rows in one line. Counts of 0 are omitted."""
    names = words["count_names"]
    others = [
        words["count_other"].format(count=f"{count:,}", name=names[name])
        for name, count in asdict(counts).items()
        if count and name in names
    ]
    first = words["counts"].format(read=f"{counts.read:,}", kept=f"{counts.kept:,}")
    return "".join((first, *others))
