"""The texts that int8 is calibrated on: the first ones of a dataset, or those of the sample."""

from __future__ import annotations

import functools
from collections.abc import Callable

from emojob.pipeline.assets.sample import sample_texts
from emojob.pipeline.reading.dataset import first_texts
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.errors import OptionError

ROWS = 2_000  # of a dataset, at most


def calibration_texts(dataset: str | None) -> Callable[[], list[str]]:
    """Return a function that reads the calibration texts, which are needed only where int8 is a candidate.

    Args:
        dataset: File, folder, glob or URL; None means the sample.

    Returns:
        A function that returns distinct texts. It raises InputError where the dataset cannot be read or has no text.

    Raises:
        DataError: There is no such dataset.
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
        raise OptionError(f"--calibration {dataset} has no text: give a dataset of utterances like your own")
    return texts
