"""Files in any dialect come back as they were written, or are rejected row by row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.formats import csv
from emojob.schemas.options import ReadOptions
from tests.pipeline.reading.formats.delimited.made_files import Made, make

ID = re.compile(r"(?<!\d)1\d{3}(?!\d)")


def read(folder: Path, made: Made) -> tuple[list[str], list[tuple[str, ...]], list[str]]:
    path = folder / made.name
    path.write_bytes(made.content)
    source = csv.inspect(InputFile(path, path.suffix[1:], None), ReadOptions()).source
    rows, rejected = [], []
    for batch in csv.read(source):
        assert batch.rows_read == batch.batch.num_rows + len(batch.rejects)
        rows += [tuple(row.values()) for row in batch.batch.to_pylist()]
        rejected += [one.raw for one in batch.rejects]
    return source.schema.names, rows, rejected


def faults_of(folder: Path, made: Made) -> list[str]:
    """Return what is wrong about the rows that are read from a file."""
    names, rows, rejected = read(folder, made)
    if tuple(names) != made.header:
        return [f"columns {names}"]
    number = made.header.index(next(name for name in made.header if name in ("id", "번호", "conversation_id")))
    expected = {row[number]: (made.faults[at],) if at in made.faults else (row,) for at, row in enumerate(made.rows)}
    wrong = [
        f"row {row} altered, not {expected.get(row[number])}"
        for row in rows
        if row not in expected.get(row[number], ())
    ]
    found = [row[number] for row in rows]
    wrong += [f"row {one} twice" for one in set(found) if found.count(one) > 1]
    in_rejects = [set(ID.findall(raw)) for raw in rejected]
    wrong += [f"rows {sorted(ids)} rejected as one" for ids in in_rejects if len(ids) > 1]
    seen = {*found, *(one for ids in in_rejects for one in ids)}
    wrong += [f"row {one} lost" for one in expected if one not in seen]
    if made.is_exact and len(rejected) > made.has_header_again:
        wrong.append(f"{len(rejected)} rows rejected")
    return wrong


@pytest.mark.parametrize(
    "seeds", [range(300), pytest.param(range(300, 10_000), marks=pytest.mark.slow)], ids=["few", "all"]
)
def test_files_of_any_dialect_come_back_or_are_rejected_row_by_row(tmp_path: Path, seeds: range) -> None:
    wrong = {}
    for seed in seeds:
        made = make(seed)
        if faults := faults_of(tmp_path, made):
            wrong[seed] = (made.about, made.content, faults)
    assert wrong == {}
