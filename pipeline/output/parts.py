"""Reads completion markers and part files. A completion marker that does not match its part file is ignored."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from emojob.pipeline.output.layout import PartPaths
from emojob.pipeline.reading.formats.parquet_metadata import has_utc_times
from emojob.pipeline.storage import atomic
from emojob.pipeline.storage.paths import AnyPath, map_paths, seekable
from emojob.schemas.errors import DataError
from emojob.schemas.manifest import OUT_FORMAT, PartMarker

#: Number of rows in a row group of a part file. DuckDB uses the same number. A DuckDB thread reads one row group at a
#: time.
ROW_GROUP = 122_880


def read_marker(paths: PartPaths) -> PartMarker | None:
    """Return the completion marker of a part; None if it is missing, invalid or does not match the part file."""
    plain = atomic.read_json(paths.marker)
    with contextlib.suppress(FileNotFoundError):
        return parse_marker(paths, plain, paths.part.stat().st_size) if plain else None
    return None


def parse_marker(paths: PartPaths, plain: dict[str, Any], part_bytes: int | None) -> PartMarker | None:
    """Parse a completion marker, and check that the marker matches the part file.

    Args:
        paths: Paths of the part.
        plain: Contents of the completion marker.
        part_bytes: Size of the part file in bytes; None if the part file does not exist.

    Returns:
        The completion marker; None if the contents are invalid or do not match the part file.
    """
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
        marker = PartMarker.from_json(plain)
        if (marker.part, marker.part_bytes) == (paths.part.name, part_bytes):
            return marker
    return None


def has_rejects(paths: PartPaths, marker: PartMarker) -> bool:
    """Return whether the file of rejected rows has as many rows as the completion marker states.

    Raises:
        OSError: The file may exist, but cannot be read.
    """
    if not marker.counts.rejected:
        return True
    try:
        return bool(pq.read_metadata(seekable(paths.rejects)).num_rows == marker.counts.rejected)
    except (OSError, pa.ArrowException) as error:
        if getattr(error, "errno", None) not in (None, errno.ENOENT):  # the file may exist, but reading failed
            raise
        return False


@contextlib.contextmanager
def open_parquet(file: AnyPath) -> Iterator[pq.ParquetFile]:
    """Open a part file or a single labelled file for reading.

    Raises:
        DataError: The file cannot be opened, or a read in the `with` block fails.
    """
    try:
        with pq.ParquetFile(seekable(file)) as parquet:
            yield parquet
    except PermissionError as error:
        raise DataError(
            f"{file} cannot be read: {error.strerror}; get permission to read the file, then try again"
        ) from error
    except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno:  # error of the disk or the object store
            raise DataError(
                f"{file} cannot be read: {error.strerror}; check the disk or the object store, then try again"
            ) from error
        raise DataError(damaged(file, error)) from error


def open_writer(sink: Any, schema: pa.Schema) -> pq.ParquetWriter:
    """Return a writer for a part file or a single labelled file. The caller closes the writer."""
    utc = has_utc_times(schema)
    return pq.ParquetWriter(sink, schema, compression="zstd", version="2.6", write_time_adjusted_to_utc=utc)


def damaged(file: AnyPath, error: BaseException) -> str:
    """Return the error message for a damaged labelled file."""
    return f"{file} cannot be read ({type(error).__name__}): remove it and run the same `emojob score` command again"


def read_schemas(files: Sequence[AnyPath]) -> list[pa.Schema]:
    """Return the schemas of labelled files. Files in an object store are opened concurrently.

    Raises:
        DataError: A file cannot be read.
    """

    def read(file: AnyPath) -> pa.Schema:
        with open_parquet(file) as parquet:
            return parquet.schema_arrow

    return list(map_paths(read, files))


def schema_name(schema: pa.Schema) -> str:
    """Return a short text that is the same for schemas with the same column names and types."""
    columns = "\n".join(f"{field.name}\0{field.type}" for field in schema)
    return hashlib.blake2b(columns.encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()


def row_groups(file: AnyPath, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Yield the rows of a labelled file, one table per row group.

    Args:
        file: A part file or a single labelled file.
        columns: Names of the columns to read. None: read all columns.

    Raises:
        DataError: The file cannot be read.
    """
    with open_parquet(file) as parquet:
        for group in range(parquet.num_row_groups):
            yield parquet.read_row_group(group, columns and list(columns))


def part_metadata(fingerprint: str) -> bytes:
    """Return the value for the key `emojob` in the Parquet metadata of a part file."""
    return json.dumps({"format": OUT_FORMAT, "fingerprint": fingerprint}).encode()


def is_part(file: AnyPath) -> bool:
    """Return whether emojob wrote a part file: a Parquet file, not a link, with emojob's metadata."""
    if isinstance(file, Path) and file.is_symlink():
        return False
    try:
        return b"emojob" in (pq.read_schema(seekable(file)).metadata or {})
    except (OSError, pa.ArrowException) as error:
        if getattr(error, "errno", None):  # the file may be a part, but reading failed
            raise
        return False
