"""Chooses the unit in which the INT96 timestamps of a Parquet file are read.

Spark, Impala and Hive write INT96: a day and the nanoseconds of the day. PyArrow reads INT96 as int64 in one unit for
all columns of a file, and does not check for overflow: in nanoseconds, the year 9999 becomes 1816.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from emojob.schemas.column_names import listed_columns
from emojob.schemas.errors import ColumnError

#: Unit in which PyArrow reads INT96 by default.
DEFAULT_UNIT = "ns"

_ROWS = 61_440
_LAST_SECOND = (2**63 - 1) // 10**6 - 1  # the last second that fits into int64 microseconds


def int96_columns(parquet: pq.ParquetFile) -> list[str]:
    """Return the paths of the INT96 columns of a file."""
    columns = map(parquet.schema.column, range(len(parquet.schema.names)))
    return [one.path for one in columns if one.physical_type == "INT96"]


def int96_unit(name: str, nanoseconds: pq.ParquetFile, seconds: pq.ParquetFile) -> str:
    """Return ns if all INT96 values of a file fit into nanoseconds, or us if they fit into microseconds unchanged.

    Args:
        name: Name of the file, for messages.
        nanoseconds: The file, opened with the unit ns. A value that does not fit is wrapped around.
        seconds: The file, opened with the unit s. Each value fits.

    Raises:
        ColumnError: Neither of the units holds all values.
    """
    far, fine, fails = set[str](), set[str](), set[str]()
    for path in int96_columns(nanoseconds):
        batches = (one.iter_batches(_ROWS, columns=[path], use_threads=False) for one in (nanoseconds, seconds))
        for batch, coarse in zip(*batches, strict=True):
            for ns, s in zip(_moments(batch.column(0)), _moments(coarse.column(0)), strict=True):
                rest = ns - s * 10**9  # wraps around like the value itself
                far |= {path} if (ns // 10**9 != s).any() else set()
                fine |= {path} if (rest % 1000 != 0).any() else set()
                fails |= {path} if (np.abs(s) > _LAST_SECOND).any() else set()
    if not far:
        return DEFAULT_UNIT
    if not fine and not fails:
        return "us"
    wrong = sorted({path.partition(".")[0] for path in far | fine | fails})
    raise ColumnError(
        f"{name} has INT96 timestamps outside of the years 1678 to 2261, and others with nanoseconds, and no unit "
        f"holds both ({listed_columns(wrong)}); write the file again with INT64 timestamps in microseconds (in Spark: "
        "spark.sql.parquet.outputTimestampType=TIMESTAMP_MICROS)"
    )


def _moments(array: Any) -> Iterator[NDArray[np.int64]]:
    """Yield the values of the timestamps in a column of any nesting, without nulls: int64 [values]."""
    kind = array.type
    if pa.types.is_struct(kind):
        for field in array.flatten():
            yield from _moments(field)
    elif pa.types.is_map(kind):
        yield from _moments(array.keys)
        yield from _moments(array.items)
    elif pa.types.is_nested(kind):
        yield from _moments(array.flatten())
    elif pa.types.is_timestamp(kind):
        yield array.drop_null().cast(pa.int64()).to_numpy(zero_copy_only=False)
