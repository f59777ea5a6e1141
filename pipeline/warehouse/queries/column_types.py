"""Gives the columns of a result unique names, and types that Arrow and the written formats can represent."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
from duckdb import DuckDBPyRelation, SQLExpression
from duckdb.sqltypes import DuckDBPyType

from emojob.schemas.columns import in_sql

#: Types that become VARCHAR, by DuckDB's id. Arrow or Python would change the values: a UHUGEINT can become negative.
_AS_TEXT = {
    "bignum", "bit", "geometry", "interval", "time with time zone", "tuple", "type", "uhugeint", "uuid", "variant",
}  # fmt: skip
#: More types that become VARCHAR if no types are kept, because Python's type has fewer values: 24:00:00 is missing.
_AS_TEXT_WITHOUT_TYPES = {"time", "time_ns"}
#: Types that become another type if types are kept, because Parquet or Arrow cannot represent them. If a value does not
#: fit, DuckDB raises ConversionException.
_TYPED = {"hugeint": "DECIMAL(38, 0)", "timestamp_s": "TIMESTAMP"}


def with_unique_names(relation: DuckDBPyRelation) -> DuckDBPyRelation:
    """Rename columns with equal names as DuckDB's CREATE TABLE does: n, n becomes n, n_1."""
    names = list(map(in_sql, relation.columns))
    if len(set(names)) == len(names):
        return relation
    return relation.select(*(SQLExpression(f"#{number}") for number in range(1, len(names) + 1)))


def with_exact_types(relation: DuckDBPyRelation, typed: bool) -> DuckDBPyRelation:
    """Convert the types whose values Arrow, Python or Parquet cannot represent exactly, also inside of nested types.

    Args:
        relation: Result of a query, with unique names.
        typed: Whether the format has types (Parquet). Then more types are kept.
    """
    types = [_exact(kind, typed) for kind in relation.types]
    if not any(types):
        return relation
    columns = []
    for number, (name, kind) in enumerate(zip(relation.columns, types, strict=True), 1):
        column = SQLExpression(f"#{number}")
        columns.append((column if kind is None else column.cast(kind)).alias(name))
    return relation.select(*columns)


def _exact(kind: DuckDBPyType, typed: bool) -> DuckDBPyType | None:
    """Return the type that a type becomes; None if it is kept."""
    if kind.id in _AS_TEXT or (kind.id in _AS_TEXT_WITHOUT_TYPES and not typed):
        return DuckDBPyType("VARCHAR")
    if kind.id in _TYPED and typed:
        return DuckDBPyType(_TYPED[kind.id])
    if kind.id not in (*_NESTED, "array"):
        return None
    parts = dict(kind.children)
    # the part without a name is the tag of a UNION
    children = {name: part for name, part in parts.items() if name and isinstance(part, DuckDBPyType)}
    found = {name: _exact(child, typed) for name, child in children.items()}
    if kind.id == "map" and found["key"] is None and children["key"].id == "null":
        found["key"] = DuckDBPyType("VARCHAR")  # the keys of an empty MAP have no type, but Parquet needs one
    if not any(found.values()):
        return None
    children |= {name: child for name, child in found.items() if child is not None}
    if kind.id == "array":
        return duckdb.array_type(children["child"], int(str(parts["size"])))
    return _NESTED[kind.id](children)


_NESTED: dict[str, Callable[[dict[str, DuckDBPyType]], DuckDBPyType]] = {
    "list": lambda children: duckdb.list_type(children["child"]),
    "map": lambda children: duckdb.map_type(children["key"], children["value"]),
    "struct": lambda children: duckdb.struct_type(children),
    "union": lambda children: duckdb.union_type(children),
}
