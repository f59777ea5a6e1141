"""JSON lines: columns are found over the whole file, values stay unchanged, malformed lines are rejected."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emojob.pipeline.reading.dataset import Dataset, open_dataset, read_batches
from emojob.pipeline.reading.formats import blocks
from emojob.pipeline.reading.formats.json import lines as jsonl
from emojob.pipeline.reading.inputs import find_inputs
from emojob.pipeline.reading.row_batches import RowBatch
from emojob.schemas.errors import ColumnError, DataError
from tests.examples import examples


def opened(folder: Path, data: str | bytes, name: str = "a.jsonl") -> Dataset:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return open_dataset(find_inputs([str(path)]))


def read(dataset: Dataset, rows: int = 1000, start_row: int = 0) -> list[RowBatch]:
    return list(read_batches(dataset, dataset.sources[0], start_row, rows))


def values(dataset: Dataset, **options: int) -> list[dict[str, Any]]:
    return [row for row_batch in read(dataset, **options) for row in row_batch.batch.to_pylist()]


def kinds(dataset: Dataset) -> dict[str, str]:
    return {field.name: str(field.type) for field in dataset.schema}


@pytest.fixture(params=[5, 1 << 20])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(blocks, "BLOCK", request.param)
    return int(request.param)


@pytest.mark.usefixtures("block")
class TestColumns:
    def test_types_are_those_of_the_whole_file(self, tmp_path: Path) -> None:
        dataset = opened(
            tmp_path,
            '{"text":"안녕","n":1,"x":null,"l":[],"d":"2026-10-05","o":{"a":1},"t":["2026-10-05T01:02:03"]}\n'
            '{"new":true,"x":3,"text":null,"n":2.5,"l":[1.5],"o":{"b":"가"}}\n',
        )
        assert kinds(dataset) == {
            "text": "string",
            "n": "double",
            "x": "int64",
            "l": "list<item: double>",
            "d": "string",
            "o": "struct<a: int64, b: string>",
            "t": "list<item: string>",
            "new": "bool",
        }
        first, second = values(dataset)
        assert (first["text"], first["d"], first["t"]) == ("안녕", "2026-10-05", ["2026-10-05T01:02:03"])
        assert (first["o"], first["new"], first["n"]) == ({"a": 1, "b": None}, None, 1.0)
        assert (second["o"], second["new"], second["d"]) == ({"a": None, "b": "가"}, True, None)

    def test_values_that_disagree_become_json_text(self, tmp_path: Path) -> None:
        dataset = opened(
            tmp_path,
            '{"text":"a","v":1,"w":[1],"e":{}}\n{"text":"b","v":"둘","w":{"k":[1,"가"]},"e":{}}\n{"text":"c","v":null}\n',
        )
        assert kinds(dataset) == {"text": "string", "v": "string", "w": "string", "e": "string"}
        assert [(row["v"], row["w"], row["e"]) for row in values(dataset)] == [
            ("1", "[1]", "{}"),
            ("둘", '{"k": [1, "가"]}', "{}"),
            (None, None, None),
        ]

    def test_no_integer_loses_a_digit(self, tmp_path: Path) -> None:
        dataset = opened(
            tmp_path,
            '{"text":"a","id":9223372036854775807,"big":9223372036854775808,"mix":9007199254740993,"f":1}\n'
            '{"text":"b","id":-9223372036854775808,"big":1,"mix":0.5,"f":0.25}\n',
        )
        assert kinds(dataset) == {"text": "string", "id": "int64", "big": "string", "mix": "string", "f": "double"}
        first, second = values(dataset)
        assert (first["id"], first["big"], first["mix"]) == (
            9223372036854775807,
            "9223372036854775808",
            "9007199254740993",
        )
        assert (second["id"], second["big"], second["mix"]) == (-9223372036854775808, "1", "0.5")

    def test_not_a_number_is_a_number(self, tmp_path: Path) -> None:
        dataset = opened(tmp_path, '{"text":"a","x":NaN}\n{"text":"b","x":-Infinity}\n{"text":"c","x":1}\n')
        assert kinds(dataset)["x"] == "double"
        assert [str(row["x"]) for row in values(dataset)] == ["nan", "-inf", "1.0"]

    def test_an_object_with_thousands_of_names_is_json_text(self, tmp_path: Path) -> None:
        dataset = opened(tmp_path, json.dumps({"text": "a", "o": {f"k{i}": i for i in range(2000)}}) + "\n")
        assert kinds(dataset)["o"] == "string"
        assert json.loads(values(dataset)[0]["o"])["k1999"] == 1999

    @pytest.mark.parametrize("depth", [100, 500])
    def test_a_deep_value_is_json_text(self, tmp_path: Path, depth: int) -> None:
        dataset = opened(tmp_path, '{"text":"a","v":' + "[" * depth + "]" * depth + "}\n")
        assert values(dataset)[0]["v"] == "[" * depth + "]" * depth

    def test_several_files_agree_on_one_type(self, tmp_path: Path) -> None:
        (tmp_path / "1.jsonl").write_text('{"text":"a","x":1}\n{"text":"b","x":2}\n')
        (tmp_path / "2.jsonl").write_text('{"x":0.5,"text":"c","y":[1]}\n')
        dataset = open_dataset(find_inputs([str(tmp_path)]))
        assert kinds(dataset) == {"text": "string", "x": "double", "y": "list<item: int64>"}
        rows = [row for source in dataset.sources for w in read_batches(dataset, source) for row in w.batch.to_pylist()]
        assert rows == [
            {"text": "a", "x": 1.0, "y": None},
            {"text": "b", "x": 2.0, "y": None},
            {"text": "c", "x": 0.5, "y": [1]},
        ]


INVALID = {
    "null": "not a JSON object",
    "3": "not a JSON object",
    '["a"]': "not a JSON object",
    "안녕": "not JSON (Expecting value at character 1)",
    '{"text":"a"': "not JSON (Expecting ',' delimiter at character 12)",
    '{"text":"a"} {"text":"b"}': "not JSON (Extra data at character 14)",
    '{"text":"a"}null{"text":"b"}': "not JSON (Extra data at character 13)",
    '{"text":"a",}': "not JSON (Expecting property name enclosed in double quotes at character 13)",
    '{"text":"\\ud800"}': "not valid Unicode (a lone surrogate)",
    '{"text":"a","\\udc00":1}': "not valid Unicode (a lone surrogate)",
    '{"text":"a","v":' + "[" * 100_000 + "]" * 100_000 + "}": "JSON that is nested too deeply",
    '{"text":"a","text":"b"}': "JSON in which an object has a key twice",
    '{"text":"a","v":[{"b":1,"b":1}]}': "JSON in which an object has a key twice",
    '{"text":"a","v":-1e400}': "JSON in which a number is beyond the range of float64",
    '{"text":"a","v":' + "9" * 5000 + "}": "JSON with an integer of more than 4,300 digits",
}


@pytest.mark.parametrize("line", list(INVALID), ids=lambda line: line[:30])
@pytest.mark.usefixtures("block")
def test_only_a_line_without_an_object_is_rejected(tmp_path: Path, line: str) -> None:
    dataset = opened(tmp_path, f'{{"text":"가"}}\n\n{line}\n{{"text":"나"}}\n')
    assert [row["text"] for row in values(dataset)] == ["가", "나"]
    rejects = [one for row_batch in read(dataset) for one in row_batch.rejects]
    assert [(one.position, one.reason, one.raw) for one in rejects] == [(2, INVALID[line], line[:2000])]
    assert dataset.sources[0].rows == 3
    assert sum(row_batch.rows_read for row_batch in read(dataset)) == 3


def test_only_a_line_that_does_not_decode_is_rejected(tmp_path: Path) -> None:
    data = b'{"text":"a"}\n' * 200 + b'{"text":"\xff"}\n' + b'{"text":"b"}\n'
    rejects = [one for row_batch in read(opened(tmp_path, data)) for one in row_batch.rejects]
    assert [(one.position, one.reason) for one in rejects] == [(201, "not valid utf-8")]


def test_only_an_overlong_line_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "LONGEST_ROW", 100)
    monkeypatch.setattr(blocks, "BLOCK", 10)
    dataset = opened(tmp_path, '{"text":"a"}\n{"text":"' + "b" * 500 + '"}\n{"text":"c"}\n')
    assert [row["text"] for row in values(dataset)] == ["a", "c"]
    assert [(one.position, one.reason) for row_batch in read(dataset) for one in row_batch.rejects] == [
        (2, "row too long")
    ]


@pytest.mark.parametrize("name", ["utf-8-sig", "cp949"])
def test_encodings_come_out_the_same(tmp_path: Path, name: str) -> None:
    dataset = opened(tmp_path, '{"발화":"펲시"}\r\n{"발화":"뷁"}'.encode(name), "a.ndjson")
    assert dataset.sources[0].encoding == name
    assert values(dataset) == [{"발화": "펲시"}, {"발화": "뷁"}]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl.zst"])
def test_compressed_files_are_read(tmp_path: Path, name: str) -> None:
    data = '{"text":"안녕"}\n'.encode()
    packed = gzip.compress(data) if name.endswith("gz") else pa.compress(data, "zstd", asbytes=True)
    assert values(opened(tmp_path, packed, name)) == [{"text": "안녕"}]


def test_a_file_without_objects_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is empty \(0 bytes\)"):
        opened(tmp_path, "")
    with pytest.raises(DataError, match="has only blank lines"):
        opened(tmp_path, "\n  \r\n\n")
    with pytest.raises(ColumnError, match="the columns are none"):
        opened(tmp_path, "{}\n{}\n")


def test_pyarrow_reads_plain_lines_and_no_doubtful_ones() -> None:
    assert jsonl._read_fast(b'{"text":"a :{ b"}\n\n {"text":"b","v":[{"k":[]}]} \r\n', None).num_rows == 2
    for doubtful in (b'{"a":1}{"a":2}\n', b"null\n", b'{"v":' + b"[" * 70 + b"]" * 70 + b"}\n", b'{"a":1}\n{"a":\n'):
        assert jsonl._read_fast(doubtful, None) is None


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.sampled_from(["2026-10-05", "{", "}:[", "null"]),
)
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
)
objects = st.lists(st.dictionaries(st.sampled_from(["v", "w", "x"]), trees, max_size=3), min_size=1, max_size=8)


def same(found: Any, meant: Any) -> bool:
    """Return whether two values are equal. A missing name equals null, and an integer may have become a float.

    A field of an object may have become JSON text.
    """
    if isinstance(found, str) and not isinstance(meant, str):
        return same(json.loads(found), meant)
    if isinstance(found, dict) and isinstance(meant, dict):
        return all(same(found.get(name), meant.get(name)) for name in found.keys() | meant.keys())
    if isinstance(found, list) and isinstance(meant, list):
        return len(found) == len(meant) and all(map(same, found, meant))
    if isinstance(found, bool) != isinstance(meant, bool):
        return False
    return bool(found == meant)


@given(objects, st.integers(1, 60), st.integers(1, 4), st.integers(0, 3), st.booleans())
@examples(150)
def test_every_value_comes_back(
    rows: list[dict[str, Any]], block: int, row_batch: int, start: int, ascii_: bool
) -> None:
    rows = [{"text": str(i), **row} for i, row in enumerate(rows)]
    data = "".join(json.dumps(row, ensure_ascii=ascii_) + "\n" for row in rows)
    before, blocks.BLOCK = blocks.BLOCK, block
    try:
        with tempfile.TemporaryDirectory() as folder:
            dataset = opened(Path(folder), data)
            found = values(dataset, rows=row_batch, start_row=start)
    finally:
        blocks.BLOCK = before
    as_json = dataset.sources[0].json_columns
    assert len(found) == max(0, len(rows) - start)
    for got, meant in zip(found, rows[start:], strict=True):
        for name, value in got.items():
            wanted = meant.get(name)
            if name in as_json and value is not None and not isinstance(wanted, str):
                value = json.loads(value)
            assert same(value, wanted), name
