"""Shares of a job: consecutive rows of one input that one of several labellers reads, labels and writes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from emojob.pipeline.output.part_writer import PART_ROWS
from emojob.pipeline.reading.dataset import Dataset, Source
from emojob.pipeline.reading.resume import InputProgress, Span
from emojob.pipeline.reading.row_batches import SPLIT_ROWS
from emojob.schemas.messages import first_of

_EACH = 3  # of the rows that are left, a share is the part that would give each labeller so many


@dataclass(frozen=True)
class Shard:
    """Rows to label. number: of the input in OUT."""

    number: int
    source: Source
    span: Span

    @property
    def place(self) -> tuple[int, int]:
        """Where it begins: the input's number, the row."""
        return self.number, self.span.first_row


def rows_of_next(rows: int, workers: int) -> int:
    """How many rows a share should have where so many are left for so many.

    The last ones are the smallest, so that no labeller is at work long after the others (guided self-scheduling;
    Polychronopoulos and Kuck, 1987).
    """
    return min(max(rows // (_EACH * workers), SPLIT_ROWS), PART_ROWS)


def undivided_inputs(dataset: Dataset) -> list[str]:
    """Lines that say which large inputs are not cut, and why."""
    reasons: dict[str, list[str]] = {}
    for source in dataset.sources:
        if (source.rows or 0) < 2 * SPLIT_ROWS:
            continue
        if dataset.conversation_column:
            reasons.setdefault("the model reads each text's previous one", []).append(source.file.path.name)
        elif not source.split_points:
            reasons.setdefault("it is compressed as a whole", []).append(source.file.path.name)
    return [f"{first_of(names)}: one worker does all of it, as {why}" for why, names in reasons.items()]


def make_shards(
    dataset: Dataset, inputs_progress: Sequence[InputProgress], limit: int | None, rows: int, workers: int
) -> Iterator[Shard]:
    """What of an archive is to be labelled, in order, cut at split points into shares.

    Inputs in which conversations matter are not cut: what a row means depends on those before it. limit: rows of the
    archive behind which nothing is labelled; the rows of each source must be known then. rows: of all shares together.
    """
    left = limit
    for source, progress in zip(dataset.sources, inputs_progress, strict=True):
        split_points = [split_point.row for split_point in source.split_points]
        total = progress.next_row if progress.complete else source.rows
        for span in progress.missing:
            stop = span.stop_row
            if left is not None and (total if stop is None else stop) > left:  # type: ignore[operator]
                stop = left
            if stop is not None and stop <= span.first_row:
                continue
            firsts = [span.first_row]
            while not dataset.conversation_column:
                at = bisect_left(split_points, firsts[-1] + rows_of_next(rows, workers))
                if at == len(split_points) or (stop is not None and split_points[at] >= stop):
                    break
                rows -= split_points[at] - firsts[-1]
                firsts.append(split_points[at])
            rows -= (total or 0 if stop is None else stop) - firsts[-1]
            for first, end in zip(firsts, [*firsts[1:], stop], strict=True):
                nearest = bisect_right(split_points, first)  # of many thousands the one that reading begins at
                narrowed = replace(source, split_points=source.split_points[max(0, nearest - 1) : nearest])
                yield Shard(progress.number, narrowed, Span(first, end))
        if left is not None:
            left -= total or 0
            if left <= 0:
                return
