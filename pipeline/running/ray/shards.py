"""The shards of a job: consecutive rows of one input, which one worker reads, labels and writes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from emojob.pipeline.output.part_writer import PART_ROWS
from emojob.pipeline.reading.dataset import Dataset, Source
from emojob.pipeline.reading.resume import InputProgress, Span
from emojob.pipeline.reading.row_batches import SPLIT_ROWS
from emojob.schemas.messages import first_of

_SHARDS_EACH = 3  # for each worker, if the remaining rows were divided into equal shards


@dataclass(frozen=True)
class Shard:
    """Rows to label.

    Attributes:
        number: The input's number in OUT.
        source: The input.
        span: The rows.
    """

    number: int
    source: Source
    span: Span

    @property
    def start(self) -> tuple[int, int]:
        """(the input's number, the first row). Identifies the shard."""
        return self.number, self.span.first_row


def next_shard_rows(rows: int, workers: int) -> int:
    """Return the number of rows of the next shard.

    The last shards are the smallest, and all workers end at nearly the same time (guided self-scheduling;
    Polychronopoulos and Kuck, 1987).

    Args:
        rows: Rows without a shard.
        workers: Number of workers.
    """
    return min(max(rows // (_SHARDS_EACH * workers), SPLIT_ROWS), PART_ROWS)


def undivided_inputs(dataset: Dataset) -> list[str]:
    """Return lines for the user: which large inputs are not divided into shards, and why."""
    reasons: dict[str, list[str]] = {}
    for source in dataset.sources:
        if (source.rows or 0) < 2 * SPLIT_ROWS:
            continue
        if dataset.conversation_column:
            reasons.setdefault("the model reads each text's previous one", []).append(source.file.path.name)
        elif not source.split_points:
            reasons.setdefault("it is compressed as a whole", []).append(source.file.path.name)
    return [f"{first_of(names)}: one worker does all of it, as {why}" for why, names in reasons.items()]


def _first_rows(first: int, stop: int | None, cuts: list[int], rows: int, workers: int) -> list[int]:
    """Return the first row of each shard of the rows from `first` to `stop`; `cuts`: rows where one may start."""
    firsts = [first]
    while True:
        at = bisect_left(cuts, firsts[-1] + next_shard_rows(rows - (firsts[-1] - first), workers))
        if at == len(cuts) or (stop is not None and cuts[at] >= stop):
            return firsts
        firsts.append(cuts[at])


def make_shards(
    dataset: Dataset, inputs_progress: Sequence[InputProgress], limit: int | None, rows: int, workers: int
) -> Iterator[Shard]:
    """Yield the missing rows of a dataset in order, divided at split points into shards.

    With a conversation column, inputs are not divided: the model reads each text with those before it.

    Args:
        dataset: The dataset. With a limit, the number of rows of each source must be known.
        inputs_progress: For each source, the rows that OUT holds.
        limit: Number of the dataset's first rows to label; None for all.
        rows: Rows of all shards together.
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
                nearest = bisect_right(split_points, first)  # a worker needs only the one where it begins to read
                narrowed = replace(source, split_points=source.split_points[max(0, nearest - 1) : nearest])
                yield Shard(progress.number, narrowed, Span(first, end))
        if left is not None:
            left -= total or 0
            if left <= 0:
                return
