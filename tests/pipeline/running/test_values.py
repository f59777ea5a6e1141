"""Every column of a Parquet file comes back with its values, whoever wrote the file; or the file is refused by name.

The judges are other readers: DuckDB and Polars. PyArrow is the judge of decimals with more than 38 digits.
"""

from __future__ import annotations

import datetime
import itertools
import math
import uuid
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.reading.dataset import open_dataset, read_batches
from emojob.pipeline.reading.inputs import find_inputs
from emojob.pipeline.running.run import score_dataset
from emojob.pipeline.warehouse.forget import forget
from emojob.schemas.arrow_text import python_values
from emojob.schemas.errors import DataError
from emojob.schemas.options import ModelOptions, ScoreOptions

ROWS = 4
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
YEAR_1, YEAR_9999 = -62_135_596_800, 253_402_300_799  # seconds since 1970
NANS = [0x7FF8000000000001, 0xFFF8000000000000, 0x7FF0000000000123, 0x8000000000000000]


def numbers() -> dict[str, pa.Array]:
    found = {}
    for bits, sign in itertools.product((8, 16, 32, 64), (True, False)):
        kind = getattr(pa, f"{'' if sign else 'u'}int{bits}")()
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if sign else (0, 2**bits - 1)
        found[str(kind)] = pa.array([low, None, high, 1], kind)
    for digits, scale in ((1, 0), (9, 2), (18, 18), (19, 3), (38, 0), (38, 38)):
        values = [Decimal(f"{10**digits - 1}E-{scale}"), None, Decimal(f"-1E-{scale}"), Decimal(0)]
        found[f"decimal_{digits}_{scale}"] = pa.array(values, pa.decimal128(digits, scale))
    found["decimal32"] = found["decimal_9_2"].cast(pa.decimal32(9, 2))
    found["decimal64"] = found["decimal_18_18"].cast(pa.decimal64(18, 18))
    found["float64"] = pa.array(np.array(NANS, np.uint64).view(np.float64))
    found["float32"] = pa.array(np.array([0x7FC00001, 0xFFC00000, 0x80000000, 1], np.uint32).view(np.float32))
    found["float16"] = pa.array(np.array([0x7E01, 0xFE00, 0x8000, 1], np.uint16).view(np.float16))
    return found | {"bool": pa.array([True, None, False, True]), "null": pa.nulls(ROWS)}


def times() -> dict[str, pa.Array]:
    found = {}
    for unit, per_second in UNITS.items():
        ends = [YEAR_1 * per_second, None, YEAR_9999 * per_second, -1]
        values = [-(2**63) + 1, None, 2**63 - 1, -1] if unit == "ns" else ends
        for zone in (None, "UTC", "Asia/Seoul", "+09:00"):
            found[f"timestamp_{unit}_{zone}"] = pa.array(values, pa.int64()).cast(pa.timestamp(unit, zone))
        found[f"duration_{unit}"] = pa.array(values, pa.int64()).cast(pa.duration(unit))
        clock = pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
        found[f"time_{unit}"] = pa.array([0, None, 86_400 * per_second - 1, 1], clock)
    days = [datetime.date(1, 1, 1), None, datetime.date(9999, 12, 31), datetime.date(1969, 12, 31)]
    return found | {"date32": pa.array(days)}


def texts() -> dict[str, pa.Array]:
    found = {}
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        found[str(kind)] = pa.array(["가\u0000", None, "", "가" * 40], kind)
    for kind in (pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(3)):
        found[str(kind)] = pa.array([b"\xff\x00a", None, b"abc", b"\x00\x00\x00"], kind)
    found["uuid"] = pa.array([uuid.UUID(int=2**128 - 1).bytes, None, bytes(16), b"1" * 16], pa.uuid())
    found["json"] = pa.array(['{"a": 1}', None, "[]", "null"], pa.json_())
    for index, value in itertools.product((pa.int8(), pa.uint16(), pa.int32()), (pa.string(), pa.large_string())):
        words = pa.array(["b", None, "a", "b"], value).dictionary_encode()
        found[f"dictionary_{index}_{value}"] = words.cast(pa.dictionary(index, value))
    found["dictionary_of_times"] = pa.array([1000, None, -1000, 1000], pa.timestamp("ns")).dictionary_encode()
    found["dictionary_of_bytes"] = pa.array([b"\xff", None, b"", b"\xff"]).dictionary_encode()
    indices, values = pa.array([1, None, 0, 1], pa.int8()), pa.array(["b", "a"])
    return found | {"ordered": pa.DictionaryArray.from_arrays(indices, values, ordered=True)}


def nested() -> dict[str, pa.Array]:
    lists = [[1, None], None, [], [3]]
    kinds = (pa.list_(pa.int64()), pa.large_list(pa.int64()))
    found = {str(kind): pa.array(lists, kind) for kind in kinds}
    found["fixed"] = pa.array([[1, None], None, [3, 4], [5, 6]], pa.list_(pa.int64(), 2))
    found["map"] = pa.array([[("a", 1), ("b", None)], None, [], [("", 0)]], pa.map_(pa.string(), pa.int32()))
    inner = pa.struct([("x", pa.int8()), ("y", pa.struct([("z", pa.list_(pa.timestamp("ms", "Asia/Seoul")))]))])
    rows = [{"x": 1, "y": None}, None, {"x": None, "y": {"z": [None, datetime.datetime(9999, 1, 1)]}}, {"y": {}}]
    found["struct"] = pa.array(rows, inner)
    found["list_of_structs"] = pa.array([[rows[0], None], None, [], [rows[2]]], pa.list_(inner))
    found["list_of_lists"] = pa.array([[[1], None, []], None, [], [[None]]], pa.list_(pa.list_(pa.int8())))
    found["map_of_lists"] = pa.array([[(1, [1])], None, [], [(2, None)]], pa.map_(pa.int64(), pa.list_(pa.int8())))
    found["not_null"] = pa.array([{"x": 1}] * ROWS, pa.struct([pa.field("x", pa.int8(), nullable=False)]))
    offsets = pa.array([0, 1, 1, 1, 2], pa.int32())
    for name, values in (
        ("words", pa.array(["a", "b"]).dictionary_encode()),
        ("uuids", pa.array([b"1" * 16] * 2, pa.uuid())),
    ):
        found[f"list_of_{name}"] = pa.ListArray.from_arrays(offsets, values)
    return found


def only_arrow() -> dict[str, pa.Array]:
    """Columns that Polars cannot read."""
    wide = [Decimal(f"{10**76 - 1}E-10"), None, Decimal("-1E-10"), Decimal(0)]
    found = {f"decimal_{digits}": pa.array([*wide[1:], None], pa.decimal256(digits, 10)) for digits in (20, 39)}
    found["decimal_76"] = pa.array(wide, pa.decimal256(76, 10))
    for kind in (pa.list_view(pa.string_view()), pa.large_list_view(pa.string())):
        found[str(kind)] = pa.array([["1", None], None, [], ["3"]], kind)
    return found


EVERY = {"numbers": numbers, "times": times, "texts": texts, "nested": nested, "only_arrow": only_arrow}


def table_of(columns: dict[str, pa.Array]) -> pa.Table:
    fields = [
        pa.field(name, array.type, metadata={"PARQUET:field_id": str(i + 7)})
        for i, (name, array) in enumerate(columns.items())
    ]
    schema = pa.schema([*fields, pa.field("text", pa.string())], {"owner": "chat"})
    return pa.table([*columns.values(), pa.array([f"글 {i}" for i in range(ROWS)])], schema=schema)


def bits(column: pa.ChunkedArray) -> list[bytes]:
    """Return the bytes of each number, and b"" for null: a NaN equals a NaN with the same bits."""
    size, whole = column.type.bit_width // 8, pa.concat_arrays(column.chunks)
    data = whole.buffers()[1].to_pybytes()
    return [data[i * size : (i + 1) * size] if whole[i].is_valid else b"" for i in range(len(whole))]


def assert_same(before: Path, after: Path, with_polars: bool = True, wide: bool = False) -> None:
    """Assert that each column of a file has the same type and values in another file."""
    names = pq.read_schema(before).names
    old, new = pq.read_table(before), pq.read_table(after, partitioning=None).select(names)
    for name in names:
        a, b = old[name], new[name]
        assert a.type == b.type or "view" in str(a.type), name
        assert bits(a) == bits(b) if pa.types.is_floating(a.type) else a.equals(b.cast(a.type)), name
    pattern = f"{after}/part-*.parquet" if after.is_dir() else str(after)
    of_duckdb = [duckdb.read_parquet(str(before)), duckdb.read_parquet(pattern)]
    columns = [one for one in names if not (wide and one in ("decimal_39", "decimal_76"))]
    shown = ", ".join(f'"{name}"::VARCHAR' for name in columns)
    kinds = [dict(zip(one.columns, one.types, strict=True)) for one in of_duckdb]
    assert [kinds[0][name] for name in columns] == [kinds[1][name] for name in columns]
    assert of_duckdb[0].select(shown).fetchall() == of_duckdb[1].select(shown).fetchall()
    if with_polars:
        one, other = pl.read_parquet(before), pl.read_parquet(pattern).select(names)
        assert one.schema == other.schema
        assert one.equals(other, null_equal=True)


def score(tiny_model: Path, given: Path, out: Path, **options: object) -> Path:
    result = score_dataset([str(given)], out, ScoreOptions(**options), ModelOptions(model=str(tiny_model)))
    assert result.counts.read == result.counts.scored == ROWS
    return out


@pytest.mark.parametrize("group", EVERY)
def test_each_type_of_arrow_comes_back_from_a_folder_a_file_and_after_a_forgetting(
    tmp_path: Path, tiny_model: Path, group: str
) -> None:
    table = table_of(EVERY[group]())
    given, extra = tmp_path / "in.parquet", tmp_path / "kept.parquet"
    pq.write_table(table, given, row_group_size=3)
    exact = {"with_polars": group != "only_arrow", "wide": True}
    assert_same(given, score(tiny_model, given, tmp_path / "out"), **exact)
    assert_same(given, score(tiny_model, given, tmp_path / "out.parquet"), **exact)
    kept = pq.read_metadata(tmp_path / "out.parquet")
    assert kept.metadata[b"owner"] == b"chat"
    assert forget(tmp_path / "out", "text = '글 1'").rows == 1
    pq.write_table(pa.concat_tables([table.slice(0, 1), table.slice(2)]), extra)
    assert_same(extra, tmp_path / "out", **exact)


READ = [
    *({"compression": codec} for codec in ("none", "snappy", "gzip", "brotli", "zstd", "lz4")),
    *({"data_page_version": version, "use_dictionary": words} for version in ("1.0", "2.0") for words in (True, False)),
    {"store_schema": False}, {"use_compliant_nested_type": False}, {"write_page_checksum": True},
    {"store_decimal_as_integer": True},
]  # fmt: skip


@pytest.mark.parametrize("how", READ, ids=str)
def test_each_encoding_and_compression_is_read_unchanged(tmp_path: Path, how: dict) -> None:
    for group in ("numbers", "times", "texts", "nested"):
        given = tmp_path / f"{group}.parquet"
        pq.write_table(table_of(EVERY[group]()), given, row_group_size=3, **how)
        dataset = open_dataset(find_inputs([str(given)]))
        found = pa.Table.from_batches(one.batch for one in read_batches(dataset, dataset.sources[0]))
        expected = pq.read_table(given)
        for name in expected.column_names:
            a, b = expected[name], found[name]
            if "dictionary" in str(a.type):
                assert python_values(a) == python_values(b), name
            else:
                assert bits(a) == bits(b) if pa.types.is_floating(a.type) else a.equals(b.cast(a.type)), name


@pytest.mark.parametrize(
    ("encoding", "column"),
    [
        ("DELTA_BINARY_PACKED", pa.array([2**62, None])),
        ("DELTA_BYTE_ARRAY", pa.array(["가", None])),
        ("DELTA_LENGTH_BYTE_ARRAY", pa.array(["가", None])),
        ("BYTE_STREAM_SPLIT", pa.array([0.5, None])),
        ("RLE", pa.array([True, None])),
    ],
)
def test_other_encodings_of_a_column_are_read_unchanged(tmp_path: Path, encoding: str, column: pa.Array) -> None:
    given = tmp_path / "a.parquet"
    pq.write_table(
        pa.table({"text": ["가", "나"], "v": column}), given, use_dictionary=False, column_encoding={"v": encoding}
    )
    dataset = open_dataset(find_inputs([str(given)]))
    assert next(read_batches(dataset, dataset.sources[0])).batch["v"] == column


OF_DUCKDB = {
    "bigint": "9223372036854775807", "hugeint": "1::HUGEINT", "ubigint": "18446744073709551615::UBIGINT",
    "float": "'nan'::FLOAT", "double": "'-0.0'::DOUBLE", "decimal": "1.5::DECIMAL(38, 10)", "uuid": "uuid()",
    "date": "DATE '0001-01-01'", "infinite": "'infinity'::TIMESTAMP", "timestamp": "TIMESTAMP '9999-12-31 23:59:59'",
    "nanoseconds": "'2026-01-01 00:00:00.123456789'::TIMESTAMP_NS", "zoned": "'2026-01-01 00:00:00+09'::TIMESTAMPTZ",
    "enum": "'a'::ENUM('a', 'b')", "bits": "'0101'::BIT",
    "blob": r"'\xFF'::BLOB", "json": "'{}'::JSON", "list": "[1, NULL]", "structs": "[{'x': 1, 'y': [{'z': 'a'}]}]",
    "map": "MAP {'a': 1}", "union": "union_value(k := 1)", "uuids": "[uuid()]", "point": "'POINT(1 2)'::GEOMETRY",
}  # fmt: skip
TIMES = {
    "local": "TIME '12:00:00.000001', '1:00:00.123456789'::TIME_NS",
    "utc": "'12:00:00+09'::TIMETZ, ['01:00:00+00'::TIMETZ]",
}


@pytest.mark.parametrize("time", TIMES)
def test_each_type_of_duckdb_comes_back(tmp_path: Path, tiny_model: Path, time: str) -> None:
    given, values = tmp_path / "in.parquet", ", ".join(f"{value} AS v_{name}" for name, value in OF_DUCKDB.items())
    one = f"SELECT '글' AS text, {values}, {TIMES[time]}"
    nulls = "SELECT text FROM (VALUES ('가'), ('나'), ('다')) AS t(text)"
    duckdb.sql(f"COPY ({one} UNION ALL BY NAME {nulls}) TO '{given}'")
    assert_same(given, score(tiny_model, given, tmp_path / "out"), with_polars=False)
    assert forget(tmp_path / "out", "text = '가'").rows == 1
    duckdb.sql(f"COPY (FROM '{given}' WHERE text <> '가') TO '{tmp_path / 'kept.parquet'}'")
    assert_same(tmp_path / "kept.parquet", tmp_path / "out", with_polars=False)


def test_each_type_of_polars_comes_back(tmp_path: Path, tiny_model: Path) -> None:
    when = datetime.datetime(2026, 1, 1, 0, 0, 0, 1)
    frame = pl.DataFrame(
        {
            "text": ["가", "나", "다", "라"],
            "u8": pl.Series([255, None, 0, 1], dtype=pl.UInt8),
            "float": [math.nan, None, -0.0, math.inf],
            "decimal": pl.Series([Decimal("1.5"), None, Decimal("-1E-10"), None], dtype=pl.Decimal(38, 10)),
            "duration": [datetime.timedelta(1), None, datetime.timedelta(-1), None],
            "time": [datetime.time(1, 2, 3, 4), None, None, None],
            "ns": pl.Series([when, None, None, None], dtype=pl.Datetime("ns", "Asia/Seoul")),
            "ms": pl.Series([datetime.datetime(9999, 1, 1), None, None, None], dtype=pl.Datetime("ms")),
            "category": pl.Series(["a", None, "b", "a"], dtype=pl.Categorical),
            "categories": pl.Series([["a", None], None, [], ["b"]], dtype=pl.List(pl.Categorical)),
            "array": pl.Series([[[1, 2], [3, 4]], None, None, None], dtype=pl.Array(pl.Int8, (2, 2))),
            "structs": [[{"a": b"x", "b": [None]}], None, [], [None]],
            "null": [None] * ROWS,
            "bytes": [b"\xff", None, b"", b"a"],
        }
    )
    frame.write_parquet(tmp_path / "in.parquet")
    assert_same(tmp_path / "in.parquet", score(tiny_model, tmp_path / "in.parquet", tmp_path / "out"))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("INTERVAL '1 month 2 days'", "INTERVAL"),
        ("[INTERVAL 1 DAY]", "INTERVAL"),
        ("{'a': 1}::VARIANT", "VARIANT"),
        ("'POINT(1 2)'::GEOMETRY", "GEOMETRY"),
        ("[1, 2]::INTEGER[2]", "ARRAY with null"),
        ("{'a': TIME '1:00', 'b': '01:00:00+00'::TIMETZ}", "times of day in UTC"),
    ],
)
def test_a_type_that_would_change_is_refused_and_the_proposed_statement_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: Path, value: str, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = f"SELECT '가' AS text, {value} AS v UNION ALL SELECT 'x', NULL FROM range(3)"
    duckdb.sql(f"COPY ({rows}) TO 'chat.parquet' (GEOPARQUET_VERSION 'BOTH')")
    with pytest.raises(
        DataError, match=rf"chat\.parquet.* {kind}.*write the file again: COPY .* \(in DuckDB\)$"
    ) as error:
        score(tiny_model, tmp_path / "chat.parquet", tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.parquet"))
    duckdb.sql(str(error.value).partition("again: ")[2].removesuffix(" (in DuckDB)"))
    assert_same(tmp_path / "copy.parquet", score(tiny_model, tmp_path / "copy.parquet", tmp_path / "out"), False)


def test_a_type_that_cannot_be_read_is_no_damaged_file(tmp_path: Path) -> None:
    pl.DataFrame({"text": ["가"], "v": pl.Series([2**100], dtype=pl.Int128)}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"column 'v' of .*a\.parquet has integers of 128 bits"):
        open_dataset(find_inputs([str(tmp_path)]))
