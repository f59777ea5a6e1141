"""Defines the job: everything that an executor needs to label the rows of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from emojob.pipeline.inference.scoring_model import ScoringModel
from emojob.pipeline.privacy.policy import Privacy
from emojob.pipeline.reading.dataset import Dataset
from emojob.pipeline.reading.resume import InputProgress
from emojob.pipeline.reading.source import Source
from emojob.schemas.manifest import Counts
from emojob.schemas.options import ScoreOptions


@dataclass(frozen=True)
class Job:
    """The inputs, the model and the output settings of a run.

    Attributes:
        dataset: The opened inputs.
        model: The model and the engine choice.
        schema: Schema of the part files.
        privacy: Privacy options: what is masked, dropped or hashed.
        options: Options of the run, with the conversation column that emojob found.
        inputs_progress: For each input, the rows that OUT already contains.
        processes: Number of processes that label rows.
        memo: Path of the memo file (cached probabilities of repeated texts); None without --memo.
        run_id: Random ID of the run, as in run.json.
        attempt: Number of the first attempt of this run (see `PartMarker.attempt`).
    """

    dataset: Dataset
    model: ScoringModel
    schema: pa.Schema
    privacy: Privacy
    options: ScoreOptions
    inputs_progress: list[InputProgress]
    processes: int
    memo: Path | None
    run_id: str
    attempt: int

    @property
    def pending(self) -> list[tuple[Source, InputProgress]]:
        """(input, progress) of every input, including complete inputs."""
        return list(zip(self.dataset.sources, self.inputs_progress, strict=True))

    @property
    def is_complete(self) -> bool:
        """Whether OUT contains all rows of all inputs."""
        return all(progress.complete for progress in self.inputs_progress)

    @property
    def rows(self) -> int:
        """Total number of rows of the inputs, at most `options.limit`. The total may be an estimate (see
        `is_estimate`).
        """
        total = sum(
            progress.next_row if progress.complete else source.lines if source.rows is None else source.rows
            for source, progress in self.pending
        )
        return min(total, self.options.limit or total)

    @property
    def is_estimate(self) -> bool:
        """Whether `rows` is an estimate. For some text files, emojob counts lines instead of rows."""
        return any(source.rows is None for source in self.dataset.sources)

    @property
    def counts_before(self) -> Counts:
        """Counts of the rows that earlier runs labelled."""
        counts = Counts()
        for progress in self.inputs_progress:
            counts.add(progress.counts)
        return counts
