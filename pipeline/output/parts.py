"""Labelled parts: each a Parquet file that is there whole or not at all, with a completion marker."""

from __future__ import annotations

import contextlib
import errno
import json
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emojob.pipeline.reading.dataset import Source
from emojob.pipeline.reading.row_batches import Reject
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.paths import AnyPath, seekable
from emojob.schemas.columns import REJECTS
from emojob.schemas.errors import DataError
from emojob.schemas.manifest import OUT_FORMAT, Counts, PartMarker

ROW_GROUP = 122_880  # rows; what DuckDB gives one thread
PART_ROWS = 2 * ROW_GROUP  # rows after which a part is closed
PART_SECONDS = 120.0  # of work after which it is closed earlier, so that a kill never costs more
_BUFFER_BYTES = 64 << 20  # of rows that wait for a full row group


@dataclass(frozen=True)
class PartPaths:
    """Where a part and what belongs to it lie in OUT."""

    folder: AnyPath
    name: str  # without ending

    @property
    def part(self) -> AnyPath:
        """The labelled rows."""
        return self.folder / f"{self.name}.parquet"

    @property
    def marker(self) -> AnyPath:
        """The completion marker."""
        return self.folder / "_emojob" / "parts" / f"{self.name}.json"

    @property
    def rejects(self) -> AnyPath:
        """The rows that could not be read; only where there are any."""
        return self.folder / "_emojob" / "parts" / f"{self.name}.rejects.parquet"

    def read_marker(self) -> PartMarker | None:
        """The completion marker of a part that is there as the marker says; None where there is none, or rubbish."""
        plain = atomic.read_json(self.marker)
        with contextlib.suppress(FileNotFoundError):
            return self.marker_of(plain, self.part.stat().st_size) if plain else None
        return None

    def marker_of(self, plain: dict[str, Any], part_bytes: int | None) -> PartMarker | None:
        """As `read_marker`, from what stands in the marker and the size of the part."""
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
            marker = PartMarker.from_json(plain)
            if (marker.part, marker.part_bytes) == (self.part.name, part_bytes) and self._has_rejects(marker):
                return marker
        return None

    def _has_rejects(self, marker: PartMarker) -> bool:
        if not marker.counts.rejected:
            return True
        try:
            return bool(pq.read_metadata(seekable(self.rejects)).num_rows == marker.counts.rejected)
        except (OSError, pa.ArrowException) as error:
            if getattr(error, "errno", None) not in (None, errno.ENOENT):  # it may be there all the same
                raise
            return False


def part_paths(folder: AnyPath, number: int, first_row: int) -> PartPaths:
    """Where the part of input `number` that begins at `first_row` lies; names sort in the order of the rows."""
    return PartPaths(folder, f"part-{number:05d}-{first_row:012d}")


@contextlib.contextmanager
def opened(file: AnyPath) -> Iterator[pq.ParquetFile]:
    """A labelled file. Raises DataError where it cannot be read, now or within."""
    try:
        with pq.ParquetFile(seekable(file)) as parquet:
            yield parquet
    except PermissionError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}; give the right to read it") from error
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno:  # of the disk or the store, not of what the file holds
            raise DataError(f"{file} cannot be read: {error.strerror}") from error
        raise DataError(damaged(file, error)) from error


def damaged(file: AnyPath, error: Exception) -> str:
    """What is said of a labelled file that cannot be read."""
    return f"{file} cannot be read ({type(error).__name__}): remove it and run the same `emojob score` command again"


def row_groups(file: AnyPath, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The rows of a labelled file, a row group at a time. Raises DataError where it cannot be read."""
    with opened(file) as parquet:
        for group in range(parquet.num_row_groups):
            yield parquet.read_row_group(group, columns and list(columns))


class PartWriter:
    """Writes the rows of one part; nothing of it is seen before `commit`."""

    def __init__(self, place: PartPaths, source: Source, schema: pa.Schema, fingerprint: str, first_row: int) -> None:
        self.first_row = self.stop_row = first_row
        self.counts = Counts()
        self._place, self._source, self._fingerprint = place, source, fingerprint
        self._token = uuid.uuid4().hex[:8]  # on a cluster one that is thought dead may still write the same part
        self._draft: atomic.Draft | None = None
        self._schema = schema.with_metadata({**(schema.metadata or {}), b"emojob": part_metadata(fingerprint)})
        self._begun = time.monotonic()
        self._waiting: list[pa.RecordBatch] = []
        self._rejects: list[Reject] = []
        self._writer: pq.ParquetWriter | None = None
        # Dictionaries of several row batches together may have more values than a narrow index can count.
        self._narrow = any(pa.types.is_dictionary(f.type) and f.type.index_type.bit_width < 32 for f in schema)

    @property
    def due(self) -> bool:
        """Whether the part holds enough rows, or work, to be closed."""
        return self.counts.read >= PART_ROWS or time.monotonic() - self._begun >= PART_SECONDS

    def add(self, batch: pa.RecordBatch, counts: Counts, stop_row: int, rejects: list[Reject]) -> None:
        """Add a row batch's labelled rows; row groups are written as they fill up."""
        self._waiting.append(batch)
        self._rejects += rejects
        self.counts.add(counts)
        self.stop_row = stop_row
        while sum(one.num_rows for one in self._waiting) >= ROW_GROUP:
            self._flush(ROW_GROUP)
        if self._narrow or sum(one.nbytes for one in self._waiting) >= _BUFFER_BYTES:
            self._flush(ROW_GROUP)

    def commit(self, last: bool) -> PartMarker:
        """Bring the part to its place, then its marker. last: whether the input ends here."""
        self._flush(ROW_GROUP)
        if self._writer is None:
            self._flush(0)
        assert self._writer is not None  # noqa: S101
        assert self._draft is not None  # noqa: S101
        self._writer.close()
        self._writer = None
        size = self._draft.commit()
        if self._rejects:
            with atomic.draft(self._place.rejects, self._token) as draft:
                pq.write_table(_rejects_table(self._source.file.name, self._rejects), draft.sink, compression="zstd")
        marker = PartMarker(
            part=self._place.part.name,
            part_bytes=size,
            input=self._source.file.name,
            input_bytes=self._source.size,
            input_sha256=self._source.sha256,
            encoding=self._source.encoding,
            first_row=self.first_row,
            stop_row=self.stop_row,
            last=last,
            fingerprint=self._fingerprint,
            counts=self.counts,
        )
        atomic.write_json(self._place.marker, marker.as_json())
        return marker

    def abandon(self) -> None:
        """Drop what was written."""
        self._waiting.clear()
        if self._writer is not None:
            writer, self._writer = self._writer, None
            with contextlib.suppress(Exception):  # the disk may be full; the file goes anyway
                writer.close()
        if self._draft:
            self._draft.discard()

    def _flush(self, rows: int) -> None:
        """Write up to `rows` of the waiting rows as one row group (0: none, but open the file)."""
        if self._writer is None and (self._waiting or not rows):
            self._draft = self._draft or atomic.Draft(self._place.part, self._token)
            self._writer = pq.ParquetWriter(self._draft.sink, self._schema, compression="zstd", version="2.6")
        if self._writer is None or not self._waiting:
            return
        table = pa.Table.from_batches(self._waiting, self._waiting[0].schema)
        self._waiting = table.slice(rows).to_batches()
        group = table.slice(0, rows).replace_schema_metadata(self._schema.metadata)
        if group.num_rows:
            self._writer.write_table(group, row_group_size=rows)


def part_metadata(fingerprint: str) -> bytes:
    """What a part's Parquet metadata says of its making, under the key `emojob`."""
    return json.dumps({"format": OUT_FORMAT, "fingerprint": fingerprint}).encode()


def _rejects_table(name: str, rejects: list[Reject]) -> pa.Table:
    columns = [
        [name] * len(rejects),
        [one.position for one in rejects],
        [one.reason for one in rejects],
        [one.raw for one in rejects],
    ]
    return pa.table(columns, schema=REJECTS)
