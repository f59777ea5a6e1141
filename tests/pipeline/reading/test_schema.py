"""The common type of two columns holds the values of both unchanged."""

from __future__ import annotations

import pyarrow as pa
import pytest

from emojob.pipeline.reading.schema import common_type

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
        (pa.binary(), pa.large_binary(), pa.large_binary()),
        (pa.timestamp("s"), pa.timestamp("us"), pa.timestamp("us")),
        (pa.timestamp("us"), pa.timestamp("ns"), None),
        (pa.timestamp("s", "UTC"), pa.timestamp("us"), None),
        (pa.decimal128(5, 2), pa.decimal128(9, 2), pa.decimal128(9, 2)),
        (pa.decimal128(5, 2), pa.decimal128(9, 3), None),
        (pa.list_(I8), pa.large_list(I64), pa.large_list(I64)),
        (pa.list_(I8), pa.list_(pa.string()), None),
        (pa.struct([("a", I8)]), pa.struct([("a", I64)]), None),
    ],
    ids=str,
)
def test_the_common_type_holds_both_unchanged(a: pa.DataType, b: pa.DataType, common: pa.DataType | None) -> None:
    assert common_type(a, b) == common
    assert common_type(b, a) == common
