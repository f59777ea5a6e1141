"""A job: everything that labelling needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from emojob.pipeline.inference.scoring_model import ScoringModel
from emojob.pipeline.privacy.policy import Privacy
from emojob.pipeline.reading.dataset import Dataset, Source
from emojob.pipeline.reading.resume import InputProgress
from emojob.schemas.manifest import Counts
from emojob.schemas.options import ScoreOptions


@dataclass(frozen=True)
class Job:
    """What is read, with which model it is labelled, and what is written.

    Attributes:
        dataset: The inputs, opened.
        model: The model with the engine choice; the executor has the engine.
        schema: The schema of the parts.
        privacy: What is masked, dropped or hashed.
        options: Options with the columns that were found.
        inputs_progress: For each input of the dataset, what OUT holds of it.
        processes: The number of processes that label.
        memo: The file that keeps the memo, if any.
    """

    dataset: Dataset
    model: ScoringModel
    schema: pa.Schema
    privacy: Privacy
    options: ScoreOptions
    inputs_progress: list[InputProgress]
    processes: int
    memo: Path | None

    @property
    def pending(self) -> list[tuple[Source, InputProgress]]:
        """Each input with its progress."""
        return list(zip(self.dataset.sources, self.inputs_progress, strict=True))

    @property
    def is_complete(self) -> bool:
        """Whether OUT holds all rows of all inputs."""
        return all(progress.complete for progress in self.inputs_progress)

    @property
    def rows(self) -> int:
        """The rows of all inputs, at most the limit; an estimate if `is_estimate`."""
        total = sum(
            progress.next_row if progress.complete else source.lines if source.rows is None else source.rows
            for source, progress in self.pending
        )
        return min(total, self.options.limit or total)

    @property
    def is_estimate(self) -> bool:
        """Whether the rows of some text file are only estimated by its lines."""
        return any(source.rows is None for source in self.dataset.sources)

    @property
    def counts_before(self) -> Counts:
        """The counts of the complete parts of these inputs."""
        counts = Counts()
        for progress in self.inputs_progress:
            counts.add(progress.counts)
        return counts
