"""Recognizes columns of texts that are JSON, such as the turns of a conversation, and says how to convert the file."""

from __future__ import annotations

import contextlib
import json
import os
import shlex

import pyarrow as pa

from emojob.pipeline.reading.source import Source
from emojob.schemas.column_names import shown

_MOST = 100  # number of texts that are looked at
_SHARE = 0.5
_CSV = (
    'import csv, json, sys; csv.field_size_limit(2**31 - 1); sys.stdout.reconfigure(encoding="utf-8"); '
    'rows = csv.DictReader(open(sys.argv[1], encoding={encoding}, newline=""){delimiter}); '
)
_PARQUET = (
    'import json, sys, pyarrow.parquet as p; sys.stdout.reconfigure(encoding="utf-8"); '
    "rows = p.read_table(sys.argv[1]).to_pylist(); "
)
_PRINT = (
    '[print(json.dumps({**row, sys.argv[2]: json.loads(row[sys.argv[2]] or "null")}, ensure_ascii=False, default=str)) '
    "for row in rows]"
)


def json_text_note(source: Source, column: str, texts: pa.Array) -> str:
    """Return a message if most texts of a column are JSON lists or objects; otherwise "".

    Args:
        source: The file.
        column: Name of the column.
        texts: The first texts of the column.
    """
    filled = [text for text in texts.slice(0, _MOST).to_pylist() if isinstance(text, str) and text.strip()]
    if not filled or sum(map(_is_json, filled)) < _SHARE * len(filled):
        return ""
    return f"{source.file.short_name}: the texts in {shown(column)} are JSON; {conversion(source, column)}"


def conversion(source: Source, column: str) -> str:
    """Return what to do with a column of JSON texts: a command, and the option that reads its result."""
    file = source.file
    if file.member or file.compression or source.dialect is None:
        code = _PARQUET if file.format == "parquet" else ""
    else:
        delimiter = source.dialect.delimiter
        of_delimiter = "" if delimiter == "," else f", delimiter={json.dumps(delimiter)}"
        code = _CSV.format(encoding=json.dumps(source.encoding or "utf-8"), delimiter=of_delimiter)
    if not code:
        return f"to label each turn, write the file as JSON lines in which {shown(column)} is a list"
    old, new = str(file.path), os.path.splitext(str(file.path))[0] + ".turns.jsonl"  # noqa: PTH122  (the path may be a URL)
    command = f"python -c {shlex.quote(code + _PRINT)} {shlex.quote(old)} {shlex.quote(column)} > {shlex.quote(new)}"
    return f"to label each turn, run {command} and then emojob score {shlex.quote(new)} --explode {shlex.quote(column)}"


def _is_json(text: str) -> bool:
    with contextlib.suppress(ValueError, RecursionError):
        return text.lstrip()[:1] in ("[", "{") and isinstance(json.loads(text), list | dict)
    return False
