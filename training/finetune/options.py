"""Options of `emojob train` that are not in the recipe."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from emojob.training.data.corpus import CorpusOptions


@dataclass(frozen=True)
class TrainOptions:
    """Options of a training run.

    Attributes:
        data: Annotated files for training.
        out: Folder for the model.
        base: Path of a model folder, or a name on the Hugging Face hub. None: use the default model of the package.
        test: Annotated files for measuring. Empty: hold out some texts of `data` for measuring.
        label_map: Name or path of the label map for `data`. None: use the labels of the files unchanged.
        test_label_map: Name or path of the label map for `test`. None: use `label_map`.
        corpus: Columns, encoding and context of the files.
        device: auto, cpu or cuda.
        fresh: Whether to delete an earlier run in `out` and start again.
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
