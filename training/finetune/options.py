"""Options of `emojob train` that are not in the recipe."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from emojob.pipeline.system.hardware import is_installed
from emojob.schemas.errors import OptionError
from emojob.schemas.messages import first_line
from emojob.schemas.options import TRACKERS
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
        report_to: Where the Trainer also logs the curves: names in `TRACKERS`. Empty: tensorboard, if it is installed.
        language: Language of training.html: en or ko.
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
    report_to: tuple[str, ...] = ()
    language: str = "en"


def trackers(report_to: tuple[str, ...]) -> list[str]:
    """Return the values of `report_to` for the Trainer.

    Raises:
        OptionError: A name is unknown, its package is not installed, or `none` is given together with another name.
    """
    unknown = [name for name in report_to if name not in TRACKERS]
    if unknown:
        raise OptionError(f"--report-to {unknown[0]!r} is unknown: give one of {', '.join(TRACKERS)}")
    if "none" in report_to and set(report_to) != {"none"}:
        other = next(name for name in report_to if name != "none")
        raise OptionError(f"--report-to none and --report-to {other} exclude each other: give only one of them")
    if not report_to:
        return ["tensorboard"] if is_installed("tensorboard") else []
    chosen = [name for name in dict.fromkeys(report_to) if name != "none"]
    for name in chosen:
        if not is_installed(name):
            raise OptionError(
                f"--report-to {name} needs the package {name}, which is not installed: pip install {name}"
            )
    return chosen


@contextlib.contextmanager
def tracker_errors() -> Iterator[None]:
    """Convert the errors of MLflow and Weights & Biases in a `with` block, such as a missing login, to OptionError."""
    try:
        yield
    except Exception as error:
        tracker = type(error).__module__.partition(".")[0]
        if tracker not in TRACKERS:
            raise
        raise OptionError(
            f"--report-to {tracker} failed: {first_line(error)}; solve the problem, or give --report-to none, then run "
            "the same command to continue"
        ) from error
