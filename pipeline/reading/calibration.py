"""Reads the texts for the calibration of int8, from a dataset or from the built-in sample."""

from __future__ import annotations

import functools
from collections.abc import Callable

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.reading.dataset import first_texts
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.errors import OptionError

ROWS = 2_000  # maximum number of rows to read


def calibration_texts(dataset: str | None) -> Callable[[], list[str]]:
    """Return a function that reads the calibration texts. The engine calls this function only if int8 is a candidate.

    Args:
        dataset: File, folder, glob or URL. None: use the built-in sample.

    Returns:
        A function that reads the dataset and returns distinct texts. When called, it raises InputError if the dataset
        cannot be read or has no text.

    Raises:
        DataError: The dataset does not exist, or has no readable file of a known format.
        OptionError: The URL has an unknown scheme.
    """
    if dataset is None:
        return sample_texts
    find_inputs([dataset])
    return functools.partial(_first_texts, dataset)


def _first_texts(dataset: str) -> list[str]:
    texts = first_texts(dataset, None, ROWS).unique().drop_null().to_pylist()
    texts = [text for text in texts if text.strip()]
    if not texts:
        raise OptionError(f"--calibration {dataset} has no text: give a dataset with utterances similar to yours")
    return texts
