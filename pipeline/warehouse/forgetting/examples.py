"""Shows a few of the rows that `emojob forget` would remove, with masked personal data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from emojob.pipeline.output.labelled_archive import LabelledArchive
from emojob.pipeline.output.parts import open_parquet
from emojob.pipeline.privacy.pii.masking import mask_texts
from emojob.pipeline.reading.schema import own_names
from emojob.pipeline.storage.paths import AnyPath
from emojob.pipeline.warehouse.forgetting.matching import Matching, Rows
from emojob.pipeline.warehouse.queries.values import plain_value, values_of
from emojob.schemas.columns import in_sql

_SHOWN, _MOST_COLUMNS = 2, 6


@dataclass(frozen=True)
class Preview:
    """Rows that `emojob forget` is about to remove.

    Attributes:
        rows: Number of rows.
        all_rows: Number of all rows of the archive.
        examples: The first rows: {column: masked value}.
    """

    rows: int
    all_rows: int
    examples: Sequence[dict[str, str]]


def preview(archive: LabelledArchive, matching: Matching, all_rows: int) -> Preview:
    """Return the first matching rows, with the columns that the condition names, the text, and who said it when."""
    columns = _columns(archive, matching)
    found: list[dict[str, str]] = []
    for file, rows in matching.rows.items():
        found += _read(file, rows[: _SHOWN - len(found)], columns)
        if len(found) == _SHOWN:
            break
    return Preview(sum(map(len, matching.rows.values())), all_rows, found)


def _columns(archive: LabelledArchive, matching: Matching) -> list[str]:
    known = {in_sql(name): name for name in reversed(archive.spellings)} | {name: name for name in archive.spellings}
    named = [known.get(name) or known.get(in_sql(name)) for name in matching.condition.names]
    roles = [archive.text_column, archive.conversation_column, archive.time_column, archive.speaker_column]
    return list(dict.fromkeys(name for name in (*named, *roles) if name in archive.spellings))[:_MOST_COLUMNS]


def _read(file: AnyPath, rows: Rows, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return rows of a labelled file."""
    found: list[dict[str, str]] = []
    with open_parquet(file) as parquet:
        own, first = own_names(parquet.schema_arrow, columns), 0
        for group in range(parquet.num_row_groups):
            stop = first + parquet.metadata.row_group(group).num_rows
            here = rows[(rows >= first) & (rows < stop)] - first
            if len(here):
                table = parquet.read_row_group(group, list(own.values())).take(pa.array(here.astype(np.int64)))
                texts = [_masked(table.column(name).combine_chunks()) for name in own.values()]
                found += [dict(zip(own, row, strict=True)) for row in zip(*texts, strict=True)]
            first = stop
    return found


def _masked(column: pa.Array) -> list[str]:
    values = ["" if one is None else str(plain_value(one)) for one in values_of(column)]
    return [text or "" for text in mask_texts(values)]
