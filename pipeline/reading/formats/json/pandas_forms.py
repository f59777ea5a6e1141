"""Recognizes JSON files that pandas wrote as one object, and says how to convert them to JSON lines."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from emojob.pipeline.reading.source import Source
from emojob.schemas.errors import ColumnError

_KEY = re.compile(r"-?\d+|\d{4}-\d\d-\d\d(?:[T ].*)?")  # of a row: a number or a time
_SPLIT = {"columns", "index", "data", "index_names", "column_names"}
_ROWS = {
    "columns": '[{column: cells[key] for column, cells in d.items()} for key in next(iter(d.values()))]',
    "index": "d.values()",
    "split": '[dict(zip(d["columns"], row)) for row in d["data"]]',
    "series": '[{"text": text} for text in d.values()]',
}  # fmt: skip
_CODE = (
    'import json, sys; sys.stdout.reconfigure(encoding="utf-8"); d = json.load(open(sys.argv[1], encoding="{encoding}"'
    ")); [print(json.dumps(row, ensure_ascii=False)) for row in {rows}]"
)


def form_of(value: Mapping[str, Any], lists: Mapping[str, Any]) -> str:
    """Return how pandas wrote a JSON object: columns, index, split or series; "" if it is another object.

    Args:
        value: The object, without its lists.
        lists: The lists among its values.
    """
    names = lists.get("columns")
    if {"columns", "data"} <= set(lists) and set(value) <= _SPLIT and isinstance(names, list):
        return "split" if names and all(isinstance(name, str) for name in names) else ""
    if not value or lists:
        return ""
    values = list(value.values())
    if all(isinstance(one, str | None) for one in values):
        return "series" if len(values) > 1 and _are_rows(value) and any(values) else ""
    if not all(isinstance(one, dict) and one and one.keys() == values[0].keys() for one in values):
        return ""
    if _are_rows(value):
        return "index" if len(values) > 1 else ""
    return "columns" if _are_rows(values[0]) else ""


def check(sources: Sequence[Source]) -> None:
    """Raise ColumnError if a file is a table that pandas wrote as one object."""
    for source in sources:
        if source.json is not None and source.json.pandas:
            raise ColumnError(f"{source.file.name} is JSON as pandas writes it with {_conversion(source)}")


def _conversion(source: Source) -> str:
    file, form = source.file, source.json.pandas if source.json else ""
    what = "Series.to_json()" if form == "series" else f'orient="{form}"'
    if file.member or file.compression or not isinstance(file.path, Path):
        return (
            f'{what}, in which rows are no objects; write the file with orient="records", lines=True, force_ascii=False'
        )
    code = _CODE.format(encoding=source.encoding or "utf-8", rows=_ROWS[form])
    old, new = str(file.path), str(file.path.with_suffix(".rows.jsonl"))
    command = f"python -c {shlex.quote(code)} {shlex.quote(old)} > {shlex.quote(new)}"
    return f"{what}, in which rows are no objects; run {command} and then use {shlex.quote(new)} as the input"


def _are_rows(keys: Iterable[str]) -> bool:
    return all(map(_KEY.fullmatch, keys))
