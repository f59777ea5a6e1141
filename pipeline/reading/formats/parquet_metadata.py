"""Metadata of Arrow schemas that emojob reads and writes."""

from __future__ import annotations

import json

import pyarrow as pa

#: Metadata of a column with times of day in UTC. Parquet has this type, but Arrow does not.
UTC_TIME = {b"emojob.time": b"UTC"}

# Parts of GeoParquet's metadata of a column that contain no values.
_GEO_KEYS = ("encoding", "geometry_types", "crs", "orientation", "edges", "epoch")


def has_utc_times(schema: pa.Schema) -> bool:
    """Return whether a schema has a column with times of day in UTC (`UTC_TIME`)."""
    return any(UTC_TIME.items() <= (field.metadata or {}).items() for field in schema)


def plain_metadata(metadata: dict[bytes, bytes] | None) -> dict[bytes, bytes] | None:
    """Return the metadata of a schema without the bounding boxes of GeoParquet, which are values of rows."""
    plain = {key: _plain_geo(value) if key == b"geo" else value for key, value in (metadata or {}).items()}
    return {key: value for key, value in plain.items() if value is not None} or None


def _plain_geo(value: bytes) -> bytes | None:
    try:
        found = json.loads(value)
        columns = {name: {key: one[key] for key in _GEO_KEYS if key in one} for name, one in found["columns"].items()}
        return json.dumps({**{key: found[key] for key in ("version", "primary_column")}, "columns": columns}).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
