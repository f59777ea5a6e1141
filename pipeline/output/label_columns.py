"""Adds the label columns (emotion, confidence, probabilities, status) to the input columns, and counts rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from emojob.pipeline.inference.scoring_model import Scored
from emojob.schemas.arrow_text import is_string, unwrapped
from emojob.schemas.column_names import listed_columns
from emojob.schemas.columns import EMPTY, OF_DUCKDB, SCORED, STATUSES, TRUNCATED, LabelColumns, folded, same_names
from emojob.schemas.errors import ColumnError
from emojob.schemas.manifest import CONFIDENCE_BINS, Counts
from emojob.schemas.messages import listed, plural
from emojob.schemas.placeholders import is_null_marker, is_placeholder


def labelled_schema(schema: pa.Schema, columns: LabelColumns) -> pa.Schema:
    """Append the label columns to the schema of an input.

    Args:
        schema: Schema of the input, after the privacy options are applied.
        columns: The label columns.

    Raises:
        ColumnError: An input column has the name of a label column, the name of another input column, or a name that
            DuckDB reserves. Upper and lower case are treated as equal, as in SQL.
    """
    reserved = [name for name in schema.names if folded(name) in OF_DUCKDB]
    if reserved:
        raise ColumnError(f"the input has columns that DuckDB reserves ({listed(reserved)}): rename these columns")
    twins = same_names(schema.names)
    if twins:
        raise ColumnError(
            f"the input has columns whose names are the same in SQL (they differ only in upper and lower case, or in "
            f"their Unicode form): {listed_columns(twins)}; rename these columns"
        )
    added = columns.fields()
    ours = {folded(field.name) for field in added}
    taken = sorted(name for name in schema.names if folded(name) in ours)
    if taken:
        raise ColumnError(
            f"the input already has the {plural(len(taken), 'column')} {listed(taken)}: "
            f"give the label columns a prefix, such as --prefix new_"
        )
    return pa.schema([*schema, *added], metadata=schema.metadata)


def with_labels(batch: pa.RecordBatch, scored: Scored, schema: pa.Schema) -> pa.RecordBatch:
    """Append the label columns to a batch.

    Args:
        batch: Input columns, after the privacy options are applied.
        scored: Labels of the rows of `batch`.
        schema: Result of `labelled_schema`.
    """
    empty = scored.emotions < 0
    emotion = pa.DictionaryArray.from_arrays(pa.array(scored.emotions, mask=empty), pa.array(scored.names, pa.string()))
    status = pa.DictionaryArray.from_arrays(pa.array(scored.statuses), pa.array(STATUSES, pa.string()))
    probabilities = [
        pa.array(np.ascontiguousarray(column), pa.float32(), mask=empty) for column in scored.probabilities.T
    ]
    confidence = pa.array(scored.confidences, pa.float32(), mask=empty)
    label_sets = [] if scored.thresholds is None else [scored.label_lists()]
    return pa.RecordBatch.from_arrays(
        [*batch.columns, emotion, confidence, *probabilities, status, *label_sets], schema=schema
    )


def count_scored(
    scored: Scored, rejected: int, tokens: tuple[int, int] = (0, 0), texts: pa.Array | None = None
) -> Counts:
    """Count the rows of a row batch by status and by the labels that they carry.

    Args:
        scored: Labels of the rows.
        rejected: Number of rows of the batch that could not be read.
        tokens: (number of all tokens, number of [UNK] tokens).
        texts: Texts of the rows, to count null markers and placeholders.
    """
    markers = (0, 0) if texts is None else _count_markers(texts, pa.array(scored.emotions < 0))
    by_status = np.bincount(scored.statuses, minlength=len(STATUSES)).tolist()
    by_emotion = scored.carried.sum(axis=0).tolist()
    return Counts(
        scored=by_status[STATUSES.index(SCORED)],
        truncated=by_status[STATUSES.index(TRUNCATED)],
        empty=by_status[STATUSES.index(EMPTY)],
        rejected=rejected,
        tokens=tokens[0],
        unknown_tokens=tokens[1],
        emotions=dict(zip(scored.names, by_emotion, strict=True)),
        confidences=_histogram(scored.confidences[scored.emotions >= 0]),
        null_markers=markers[0],
        placeholders=markers[1],
    )


def count_rows(table: pa.Table, columns: LabelColumns, text_column: str | None = None) -> Counts:
    """Count the rows of a labelled table by status and by the labels that they carry.

    Args:
        table: Labelled rows.
        columns: The label columns.
        text_column: Text column, to count null markers and placeholders; None if there is none.
    """

    def by_name(values: pa.ChunkedArray, names: Sequence[str]) -> dict[str, int]:
        index = pc.index_in(values.cast(pa.string()), pa.array(names, pa.string())).drop_null()
        return dict(zip(names, np.bincount(index.to_numpy(), minlength=len(names)).tolist(), strict=True))

    carried = pc.list_flatten(table.column(columns.label_set)) if columns.label_set else table.column(columns.label)
    states = by_name(table.column(columns.status), STATUSES)
    markers = (0, 0)
    if text_column is not None:
        empty = pc.equal(table.column(columns.status).cast(pa.string()), EMPTY)
        markers = _count_markers(table.column(text_column).combine_chunks(), empty.combine_chunks())
    return Counts(
        scored=states[SCORED],
        truncated=states[TRUNCATED],
        empty=states[EMPTY],
        emotions=by_name(carried, columns.labels),
        confidences=_histogram(table.column(columns.confidence).drop_null().to_numpy()),
        null_markers=markers[0],
        placeholders=markers[1],
    )


def _count_markers(texts: pa.Array, empty: pa.Array) -> tuple[int, int]:
    """Return (number of null markers, number of placeholders) among the texts of the rows that are `empty`."""
    found = unwrapped(texts).filter(empty)
    if not is_string(found.type):
        return 0, 0
    null_markers = is_null_marker(found)
    others = pc.and_(is_placeholder(found), pc.invert(null_markers))
    return pc.sum(null_markers).as_py() or 0, pc.sum(others).as_py() or 0


def _histogram(confidences: NDArray[np.float32]) -> list[int]:
    """Return the number of confidences in each of CONFIDENCE_BINS equal bins from 0 to 1."""
    bins = np.minimum((confidences * CONFIDENCE_BINS).astype(np.int64), CONFIDENCE_BINS - 1)
    rows: list[int] = np.bincount(bins, minlength=CONFIDENCE_BINS).tolist()
    return rows
