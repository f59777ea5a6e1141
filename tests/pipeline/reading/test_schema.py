"""The common type of two columns holds the values of both unchanged."""

from __future__ import annotations

import pyarrow as pa
import pytest

from emojob.pipeline.reading.common_types import common_type
from emojob.pipeline.reading.schema import own_names, united
from emojob.schemas.errors import ColumnError

I8, I64, U8, U64, F16, F32, F64 = (
    pa.int8(), pa.int64(), pa.uint8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64()
)  # fmt: skip


@pytest.mark.parametrize(
    ("a", "b", "common"),
    [
        (pa.null(), pa.list_(I8), pa.list_(I8)),
        (I8, I64, I64),
        (U8, I8, pa.int16()),
        (pa.uint32(), I8, I64),
        (U64, I8, None),
        (U8, U64, U64),
        (F32, F64, F64),
        (pa.int16(), F32, F32),
        (pa.int32(), F32, F64),
        (I64, F64, None),
        (I8, F16, F16),
        (pa.bool_(), I8, None),
        (pa.string(), pa.large_string(), pa.large_string()),
        (pa.string(), pa.dictionary(pa.int8(), pa.string()), pa.string()),
        (pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int32(), pa.string()), pa.string()),
        (pa.string(), pa.binary(), None),
        (pa.binary(), pa.binary(4), pa.binary()),
        (pa.binary(), pa.large_binary(), pa.large_binary()),
        (pa.timestamp("s"), pa.timestamp("us"), pa.timestamp("us")),
        (pa.timestamp("us"), pa.timestamp("ns"), None),
        (pa.timestamp("s", "UTC"), pa.timestamp("us"), None),
        (pa.decimal128(5, 2), pa.decimal128(9, 2), pa.decimal128(9, 2)),
        (pa.decimal128(5, 2), pa.decimal128(9, 3), pa.decimal128(9, 3)),
        (pa.decimal128(38, 0), pa.decimal128(38, 38), None),
        (pa.decimal128(5, 2), pa.decimal256(60, 3), pa.decimal256(60, 3)),
        (pa.int32(), pa.decimal128(5, 2), pa.decimal128(12, 2)),
        (pa.decimal128(5, 2), F64, None),
        (pa.time32("s"), pa.time64("us"), pa.time64("us")),
        (pa.duration("s"), pa.duration("ns"), None),
        (pa.date32(), pa.timestamp("us"), None),
        (pa.timestamp("us", "UTC"), pa.timestamp("us", "Asia/Seoul"), pa.timestamp("us", "Asia/Seoul")),
        (pa.list_(I8), pa.large_list(I64), pa.large_list(I64)),
        (pa.list_(I8), pa.list_(pa.string()), None),
        (pa.list_(I8, 2), pa.list_(I64, 3), pa.list_(I64)),
        (pa.list_(I8, 2), pa.list_(I64, 2), pa.list_(I64, 2)),
        (pa.struct([("a", I8)]), pa.struct([("a", I64)]), pa.struct([("a", I64)])),
        (pa.struct([("a", I8)]), pa.struct([("a", pa.string())]), None),
        (pa.map_(I8, I8), pa.map_(I8, pa.null()), pa.map_(I8, I8)),
    ],
    ids=str,
)
def test_the_common_type_holds_both_unchanged(a: pa.DataType, b: pa.DataType, common: pa.DataType | None) -> None:
    assert common_type(a, b) == common
    assert common_type(b, a) == common


def test_a_field_that_only_one_struct_has_is_nullable_at_each_level() -> None:
    inner = pa.field("x", I8, nullable=False)
    one, other = pa.list_(pa.struct([inner])), pa.list_(pa.struct([inner, pa.field("y", I8, nullable=False)]))
    assert common_type(one, other) == pa.list_(pa.struct([inner, pa.field("y", I8)]))


WORDS = pa.array(["a"])


@pytest.mark.parametrize(
    ("a", "b", "kind", "values"),
    [
        (WORDS, WORDS.dictionary_encode(), pa.string(), ["a", "a"]),
        (pa.array([1]), WORDS, pa.large_string(), ["1", "a"]),
        (WORDS.dictionary_encode(), pa.array([True]), pa.large_string(), ["a", "true"]),
        (pa.array([1], pa.int8()), pa.array([300]), pa.int64(), [1, 300]),
        (pa.array([True]), pa.array([2]), pa.int64(), [1, 2]),
        (pa.array([1]), pa.array([1.5]), pa.float64(), [1.0, 1.5]),
        (pa.nulls(1), WORDS, pa.string(), [None, "a"]),
        (pa.array([{"x": 1}]), pa.array([{"y": 2}]), None, [{"x": 1, "y": None}, {"x": None, "y": 2}]),
        (pa.array([0], pa.timestamp("s", "Asia/Seoul")), pa.array([0], pa.timestamp("us", "UTC")),
         pa.timestamp("us", "Asia/Seoul"), None),
        (pa.array([1], pa.date32()), pa.array([0], pa.timestamp("ms")), pa.timestamp("ms"), None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("swapped", [False, True])
def test_tables_with_other_types_of_a_column_are_united(a, b, kind, values, swapped):
    tables = [pa.table({"x": column, "y": [i]}) for i, column in enumerate((b, a) if swapped else (a, b))]
    found = united(tables)
    assert found["y"].to_pylist() == [0, 1]
    if kind and not (swapped and pa.types.is_timestamp(kind) and kind.tz):
        assert found["x"].type == kind
    if values:
        assert found["x"].to_pylist() == (values[::-1] if swapped else values)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (pa.array([1]), pa.array([0], pa.timestamp("us"))),
        (pa.array([[1]]), WORDS),
        (pa.array([0], pa.timestamp("us")), pa.array([0], pa.timestamp("us", "UTC"))),
        (pa.array([2**60 + 1]), pa.array([1.5])),
    ],
)
def test_types_without_a_common_type_are_refused_with_the_name_of_the_column(a, b):
    with pytest.raises(ColumnError, match=r"column 'when' has the type .* SQL query"):
        united([pa.table({"when": a}), pa.table({"when": b})])


def test_a_column_that_a_table_lacks_is_null_and_spellings_are_one_column():
    found = united([pa.table({"Who": ["a"], "n": [1]}), pa.table({"m": [2], "who": ["b"]})])
    assert found.to_pylist() == [{"Who": "a", "n": 1, "m": None}, {"Who": "b", "n": None, "m": 2}]
    assert own_names(pa.schema([("Text", pa.string()), ("text", pa.string())]), ["text", "TEXT"]) == {
        "text": "text", "TEXT": "Text",
    }  # fmt: skip
