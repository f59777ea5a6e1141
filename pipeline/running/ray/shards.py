"""Divides the rows of a job into shards. A shard is a range of rows of one input."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from emojob.pipeline.output.part_writer import PART_ROWS
from emojob.pipeline.reading.dataset import Dataset
from emojob.pipeline.reading.resume import InputProgress, Span
from emojob.pipeline.reading.row_batches import SPLIT_ROWS
from emojob.pipeline.reading.source import Source
from emojob.schemas.messages import first_of

_SHARDS_EACH = 3  # rows of the next shard = remaining rows / (_SHARDS_EACH * workers)


@dataclass(frozen=True)
class Shard:
    """A range of rows of one input. One worker labels the shard.

    Attributes:
        number: Number of the input, as in the names of part files.
        source: The input.
        span: The range of rows.
    """

    number: int
    source: Source
    span: Span

    @property
    def start(self) -> tuple[int, int]:
        """(number of the input, first row). This pair identifies the shard."""
        return self.number, self.span.first_row


def next_shard_rows(rows: int, workers: int) -> int:
    """Return the number of rows of the next shard.

    Shards become smaller towards the end of the job, so that all workers end at nearly the same time (guided
    self-scheduling; Polychronopoulos and Kuck, 1987). A shard has at least SPLIT_ROWS and at most PART_ROWS rows.

    Args:
        rows: Number of rows that are not in a shard yet.
        workers: Number of workers.
    """
    return min(max(rows // (_SHARDS_EACH * workers), SPLIT_ROWS), PART_ROWS)


def undivided_inputs(dataset: Dataset) -> list[str]:
    """Return messages for the user about large inputs that cannot be divided into shards."""
    reasons: dict[str, list[str]] = {}
    for source in dataset.sources:
        if (source.rows or 0) < 2 * SPLIT_ROWS:
            continue
        if dataset.conversation_column:
            reasons.setdefault("the model also reads previous utterances", []).append(source.file.short_name)
        elif not source.split_points:
            reasons.setdefault("compressed text can only be read from the start", []).append(source.file.short_name)
    return [f"{first_of(names)}: one worker labels each whole file, because {why}" for why, names in reasons.items()]


def _first_rows(first: int, stop: int | None, cuts: list[int], rows: int, workers: int) -> list[int]:
    """Divide the rows from `first` to `stop` into shards, and return the first row of each shard.

    A shard can begin only at `first` or at a row in `cuts`.
    """
    firsts = [first]
    while True:
        at = bisect_left(cuts, firsts[-1] + next_shard_rows(rows - (firsts[-1] - first), workers))
        if at == len(cuts) or (stop is not None and cuts[at] >= stop):
            return firsts
        firsts.append(cuts[at])


def make_shards(
    dataset: Dataset, inputs_progress: Sequence[InputProgress], limit: int | None, rows: int, workers: int
) -> Iterator[Shard]:
    """Divide the missing rows of a dataset into shards, and yield the shards in order.

    An input is divided only at split points (rows at which reading can begin). If the dataset has a conversation
    column, inputs are not divided, because the previous utterance of a row could be in another shard.

    Args:
        dataset: The dataset. If `limit` is given, the number of rows of each input must be known.
        inputs_progress: For each input, the rows that OUT already contains.
        limit: Label only the first `limit` rows of the dataset. None: label all rows.
        rows: Total number of missing rows.
        workers: Number of workers.
    """
    left = limit
    for source, progress in zip(dataset.sources, inputs_progress, strict=True):
        split_points = [split_point.row for split_point in source.split_points]
        cuts = [] if dataset.conversation_column else split_points
        total = progress.next_row if progress.complete else source.rows
        for span in progress.missing:
            stop = span.stop_row
            if left is not None and (total if stop is None else stop) > left:  # type: ignore[operator]
                stop = left
            if stop is not None and stop <= span.first_row:
                continue
            firsts = _first_rows(span.first_row, stop, cuts, rows, workers)
            rows -= (total or 0 if stop is None else stop) - span.first_row
            for first, end in zip(firsts, [*firsts[1:], stop], strict=True):
                # The worker starts reading at the last split point that is not after `first`.
                nearest = bisect_right(split_points, first)
                narrowed = replace(source, split_points=source.split_points[max(0, nearest - 1) : nearest])
                yield Shard(progress.number, narrowed, Span(first, end))
        if left is not None:
            left -= total or 0
            if left <= 0:
                return
