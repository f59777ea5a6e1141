"""Labelled chunks to parts: each is closed when it holds enough rows, or work, or its rows come to an end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa

from emojob.pipeline.inference.streaming import Labelled
from emojob.pipeline.output.label_columns import count, with_labels
from emojob.pipeline.output.parts import PartWriter, part_paths
from emojob.pipeline.privacy.policy import Privacy
from emojob.pipeline.reading.chunks import Chunk
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.system.prefetch import StageTimer, StopRequested
from emojob.schemas.manifest import PartMarker


def write_parts(
    labelled: Iterator[Labelled[Chunk]],
    folder: AnyPath,
    schema: pa.Schema,
    privacy: Privacy,
    fingerprint: str,
    timer: StageTimer,
    added: Callable[[int], None],
) -> Iterator[PartMarker]:
    """Write what was labelled to parts in OUT, and give the marker of each as it is complete.

    added: is told how many rows of the input were taken. After Stopped what is there so far is made a part, and the
    exception goes on; after any other nothing of the part begun is left.
    """
    writer: PartWriter | None = None
    try:
        for one in labelled:
            chunk = one.of
            if writer and writer.stop_row != chunk.row_batch.first_row:
                raise AssertionError(f"row {chunk.row_batch.first_row} follows row {writer.stop_row}")
            marker = None
            with timer.busy("write"):
                if writer is None:
                    first = chunk.row_batch.first_row
                    place = part_paths(folder, chunk.number, first)
                    writer = PartWriter(place, chunk.source, schema, fingerprint, first)
                _add(writer, one, schema, privacy)
                added(chunk.row_batch.rows_read)
                if writer.due or chunk.closes:
                    marker, writer = writer.commit(chunk.last), None
            if marker:
                yield marker
    except StopRequested:
        if writer:
            last, writer = writer.commit(False), None
            yield last
        raise
    finally:
        if writer:
            writer.abandon()


def _add(writer: PartWriter, labelled: Labelled[Chunk], schema: pa.Schema, privacy: Privacy) -> None:
    chunk, row_batch = labelled.of, labelled.of.row_batch
    counts = count(labelled.scored, len(row_batch.rejects), labelled.tokens)
    rows = with_labels(privacy.batch(row_batch.batch), labelled.scored, schema)
    writer.add(rows, counts, chunk.stop_row, privacy.rejects(row_batch.rejects))
