"""The options of `emojob train`, without the recipe."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from emojob.training.data.corpus import CorpusOptions


@dataclass(frozen=True)
class TrainOptions:
    """The options of a training run.

    Attributes:
        data: Annotated files to learn from.
        out: Folder for the model.
        base: Model folder or name on the Hugging Face hub; None for the encoder that ships with the package.
        test: Annotated files to measure on; empty to hold out a part of `data`.
        label_map: Name or path of the label map of `data`.
        test_label_map: Name or path of the label map of `test`; None for the same as `data`.
        corpus: Columns, encoding and context of the files.
        device: auto, cpu or cuda.
        fresh: Remove the results of an earlier run in `out` first.
    """

    data: tuple[Path, ...]
    out: Path
    base: str | None = None
    test: tuple[Path, ...] = ()
    label_map: str | None = None
    test_label_map: str | None = None
    corpus: CorpusOptions = field(default_factory=CorpusOptions)
    device: str = "auto"
    fresh: bool = False
