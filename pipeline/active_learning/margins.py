"""Ranks the distinct texts of a labelled archive by margin: the highest probability minus the second highest.

The archive is read only once. DuckDB groups the rows by text. If DuckDB reaches the memory limit, it writes temporary
files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from emojob.pipeline.output.labelled_archive import LabelledArchive, text_column_of
from emojob.pipeline.system.hardware import cores
from emojob.pipeline.warehouse.database import interruptible, memory_limit
from emojob.pipeline.warehouse.spill import spill_folder
from emojob.schemas.arrow_text import strings
from emojob.schemas.columns import SCORED, TRUNCATED
from emojob.schemas.errors import EmojobError, StorageError

#: Maximum number of characters of a text. Longer texts are left out, because the model reads only the beginning.
MOST_CHARACTERS = 1_000

_MEMORY_BYTES = 1 << 30  # memory limit of DuckDB for up to 8 threads
_MEMORY_OF_A_THREAD = 128 << 20  # memory limit per thread, for more than 8 threads

# An entry is a uint64 that contains the margin of a row (upper bits) and the row number (lower bits). The minimum of
# several entries is the row with the lowest margin. If margins are equal, the minimum is the first row.
_NUMBER_BITS, _MARGIN_STEPS = 43, 1 << 20


@dataclass(frozen=True)
class Ranking:
    """The distinct texts of an archive, sorted by margin, lowest margin first.

    Some texts differ only in digits, punctuation and spaces (주문 1번, 주문 2번). Of such texts, only the text with the
    lowest margin keeps its place. All others come at the end of the ranking.

    Attributes:
        numbers: Row number of each text, int64 [texts]. If several rows have the same text, the number of the row with
            the lowest margin.
        times: Number of labelled rows with each text, int64 [texts].
        rows: Number of labelled rows in the archive.
        left_out: Number of labelled rows whose text is too short or too long.
        texts: Number of distinct texts that are neither too short nor too long. The ranking may be shorter, because
            `rank` limits the number of texts.
    """

    numbers: NDArray[np.int64]
    times: NDArray[np.int64]
    rows: int
    left_out: int
    texts: int


def rank(archive: LabelledArchive, most: int) -> Ranking:
    """Rank the texts of an archive. Texts with fewer than two letters or over MOST_CHARACTERS characters are left out.

    Single jamo (ㅋㅋ) are not letters.

    Args:
        archive: The labelled archive.
        most: Maximum number of texts in the ranking.

    Raises:
        DataError: A file of the archive cannot be read.
        StorageError: There is not enough memory, or not enough disk space for temporary files.
    """
    stream = _Stream(archive)
    with (
        interruptible(),
        spill_folder(archive.path) as spill,
        duckdb.connect(config=_settings(spill)) as connection,
    ):
        try:
            connection.register("labelled_rows", stream.reader())
            connection.execute(_sql("uncertain_texts"), {"most_characters": MOST_CHARACTERS})
            kept, texts = connection.execute(_sql("uncertain_counts")).fetchall()[0]
            found = connection.execute(_sql("uncertain_candidates"), {"most": most}).fetchnumpy()
        except duckdb.Error as error:
            if stream.error is not None:
                raise stream.error from error
            raise StorageError(
                f"cannot sort the texts of {archive.path} ({type(error).__name__}): "
                f"provide more memory, or more disk space for temporary files in {Path(spill).parent}, then try again"
            ) from error
    numbers = (found["entry"].astype(np.uint64) & np.uint64((1 << _NUMBER_BITS) - 1)).astype(np.int64)
    return Ranking(numbers, found["times"].astype(np.int64), stream.rows, stream.rows - kept, texts)


def _settings(spill: str) -> dict[str, Any]:
    threads = cores()
    return {
        "threads": threads,
        "memory_limit": f"{memory_limit(max(_MEMORY_BYTES, threads * _MEMORY_OF_A_THREAD)) >> 20}MiB",
        "temp_directory": spill,
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }


def _sql(name: str) -> str:
    return (files("emojob.pipeline.active_learning") / f"{name}.sql").read_text(encoding="utf-8")


class _Stream:
    """Streams the labelled rows of an archive into DuckDB and counts the rows."""

    def __init__(self, archive: LabelledArchive) -> None:
        self._archive = archive
        self.rows = 0
        # The exception that `_batches` raised. `rank` needs it, because DuckDB raises a duckdb.Error instead.
        self.error: EmojobError | None = None

    def reader(self) -> pa.RecordBatchReader:
        """Return a reader of the labelled rows. Its columns are `text` and `entry` (see _NUMBER_BITS)."""
        schema = pa.schema([("text", pa.large_string()), ("entry", pa.uint64())])
        return pa.RecordBatchReader.from_batches(schema, self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        names = [text_column_of(self._archive), self._archive.status_column, *self._archive.probability_columns]
        try:
            for first, _, batch in self._archive.batches(names):
                labelled = pc.is_in(pc.cast(batch.column(1), pa.string()), pa.array([SCORED, TRUNCATED]))
                numbers = np.flatnonzero(labelled.to_numpy(zero_copy_only=False)) + first
                rows = batch.filter(labelled)
                self.rows += rows.num_rows
                margins = margins_of(probabilities_of(rows, 2), self._archive.thresholds)
                yield pa.record_batch({"text": strings(rows.column(0)), "entry": _entries(margins, numbers)})
        except EmojobError as error:
            self.error = error
            raise


def _entries(margins: NDArray[np.float32], numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
    steps = np.round(margins.astype(np.float64) * _MARGIN_STEPS).astype(np.uint64)
    return (steps << np.uint64(_NUMBER_BITS)) | numbers.astype(np.uint64)


def probabilities_of(batch: pa.RecordBatch, first: int) -> NDArray[np.float32]:
    """Return the probability columns of a batch, float32 [rows, labels].

    Args:
        batch: A record batch that ends with the probability columns.
        first: Index of the first probability column.
    """
    columns = [column.to_numpy(zero_copy_only=False) for column in batch.columns[first:]]
    return np.column_stack(columns).astype(np.float32, copy=False)


def margins_of(probabilities: NDArray[np.float32], thresholds: Sequence[float] | None = None) -> NDArray[np.float32]:
    """Return the margin of each row: float32 [rows], from 0 to 1.

    The margin is the highest probability minus the second highest. If there is only one label, every margin is 1.

    Args:
        probabilities: float32 [rows, labels].
        thresholds: The probability at which a row carries each label, if a row can carry several. Then the margin is
            twice the smallest distance of a probability from its threshold, at most 1.
    """
    if thresholds is not None:
        nearest = np.abs(probabilities - np.asarray(thresholds, np.float32)).min(axis=1)
        return np.asarray(np.clip(np.nan_to_num(2 * nearest, nan=1.0), 0, 1), np.float32)
    if probabilities.shape[1] < 2:
        return np.ones(len(probabilities), np.float32)
    best = np.sort(probabilities, axis=1)
    return np.asarray(np.clip(np.nan_to_num(best[:, -1] - best[:, -2], nan=1.0), 0, 1), np.float32)
