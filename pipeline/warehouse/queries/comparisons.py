"""Finds comparisons of texts in a condition that mean more, or less, than they seem to."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

import duckdb

from emojob.pipeline.warehouse.queries.syntax_tree import Node, nodes_of, parse_select, select_text, types_of
from emojob.pipeline.warehouse.sql_text import identifier
from emojob.schemas.column_names import is_usual
from emojob.schemas.errors import OptionError

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "BIGNUM")
_VALUES = ("COLUMN_REF", "CONSTANT")
_ITEMS = ("ARRAY_EXTRACT", "STRUCT_EXTRACT")


def refuse_numbers_as_texts(db: duckdb.DuckDBPyConnection, condition: str) -> None:
    """Raise OptionError if a condition compares a text with a number: DuckDB would also match 01 and 1.0 for 1.

    Args:
        db: The database with the view `numbered`.
        condition: An SQL condition. An invalid one is not refused.
    """
    select = parse_select(db, _query(condition))
    for sides in _comparisons(select and select.get("where_clause")):
        types = types_of(db, select or {}, sides)
        number = next((one for one, kind in zip(sides, types, strict=False) if _is_number(kind)), None)
        for side, kind in zip(sides, types, strict=False):
            if number is not None and kind == "VARCHAR" and side.get("class") != "CONSTANT":
                raise OptionError(_refusal(side, number))


def in_any_form(db: duckdb.DuckDBPyConnection, condition: str) -> str | None:
    """Return the condition with all texts in the Unicode form NFC; None if no text of the condition has two forms,
    or if the condition has COLUMNS(...).

    Args:
        db: The database with the view `numbered`.
        condition: An SQL condition.
    """
    if unicodedata.normalize("NFC", condition) == unicodedata.normalize("NFD", condition):
        return None
    select, wrapper = parse_select(db, _query(condition)), parse_select(db, "SELECT nfc_normalize(x)")
    if select is None or wrapper is None:
        return None
    wrap = wrapper["select_list"][0]
    nodes = list(nodes_of(select["where_clause"]))
    if any(node.get("class") == "STAR" for node in nodes):  # an expression can have only one COLUMNS(...)
        return None
    values = [node for node in nodes if _is_value(node)]
    texts = [id(node) for node in values if types_of(db, select, [node]) == ["VARCHAR"]]
    select["where_clause"] = _wrapped(select["where_clause"], set(texts), wrap)
    _, _, found = select_text(db, select).partition(" WHERE ")
    return found


def _query(condition: str) -> str:
    return f"SELECT 1 FROM numbered AS labelled WHERE ({condition}\n)"  # noqa: S608 - the query is parsed only


def _comparisons(tree: Any) -> Iterator[list[Node]]:
    """Yield the sides of each comparison. BETWEEN and IN have more than two."""
    for node in nodes_of(tree):
        kind = str(node.get("type", ""))
        if node.get("class") in ("COMPARISON", "BETWEEN"):
            yield [node[key] for key in ("left", "right", "input", "lower", "upper") if key in node]
        elif node.get("class") == "OPERATOR" and kind in ("COMPARE_IN", "COMPARE_NOT_IN"):
            yield node["children"]


def _is_number(kind: str) -> bool:
    return kind.removeprefix("U").startswith(_NUMBERS) and not kind.endswith("]")


def _refusal(side: Node, number: Node) -> str:
    path = side.get("column_names") if side.get("class") == "COLUMN_REF" else None
    is_shown = bool(path) and all(map(is_usual, path or ()))
    name = ".".join(map(identifier, path or ())) if is_shown else "COLUMN"
    literal = number.get("literal", {}).get("text") if number.get("class") == "CONSTANT" else None
    value = literal if isinstance(literal, str) else "NUMBER"
    return (
        f"--where compares the texts of {name if is_shown else 'a column'} with a number, so DuckDB would also match "
        f"texts that look different, such as 007 for 7; compare texts: {name} = '{value}', or convert the texts: "
        f"TRY_CAST({name} AS DOUBLE) = {value}"
    )


def _is_value(node: Node) -> bool:
    return node.get("class") in _VALUES or (node.get("class") == "OPERATOR" and node.get("type") in _ITEMS)


def _wrapped(value: Any, texts: set[int], wrapper: Node) -> Any:
    """Return a copy of a syntax tree in which the function call `wrapper` takes each of the nodes `texts`."""
    if isinstance(value, list):
        return [_wrapped(one, texts, wrapper) for one in value]
    if not isinstance(value, dict):
        return value
    if id(value) in texts:
        return _with_argument(wrapper, value)
    return {key: _wrapped(one, texts, wrapper) for key, one in value.items()}


def _with_argument(wrapper: Any, argument: Node) -> Any:
    if isinstance(wrapper, list):
        return [_with_argument(one, argument) for one in wrapper]
    if not isinstance(wrapper, dict):
        return wrapper
    if wrapper.get("class") == "COLUMN_REF":
        return argument
    return {key: _with_argument(one, argument) for key, one in wrapper.items()}
