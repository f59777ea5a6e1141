"""A value of any type of DuckDB: each format has the value that DuckDB shows, or refuses it by name."""

import csv
import io
import json
import math
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest

from emojob.jobs.terminal.query_table import print_table
from emojob.pipeline.warehouse.results import write, write_file
from emojob.schemas.errors import OptionError
from emojob.schemas.sheet import unescape_cell

#: {logical type of duckdb_types(): values}.
VALUES = {
    "ARRAY": ["[1, NULL]::INTEGER[2]", "['24:00:00'::TIME]::TIME[1]"],
    "BIGINT": ["9223372036854775807", "(-9223372036854775807 - 1)::BIGINT"],
    "BIGNUM": [f"'{'9' * 60}'::BIGNUM", f"'-{'9' * 60}'::BIGNUM"],
    "BIT": ["'0101'::BIT"],
    "BLOB": [r"'\xFFa'::BLOB", "''::BLOB"],
    "BOOLEAN": ["true", "false"],
    "DATE": ["DATE 'infinity'", "DATE '-infinity'", "DATE '5877642-06-25 (BC)'", "DATE '200000-01-01'",
             "DATE '0001-01-01'", "DATE '0001-12-31 (BC)'", "DATE '9999-12-31'", "DATE '10000-01-01'"],
    "DECIMAL": ["'12345678901234567890.1234567890'::DECIMAL(38, 10)", f"'{'9' * 38}'::DECIMAL(38, 0)",
                "'-0.00000000000000000000000000000000000001'::DECIMAL(38, 38)", "0.1::DECIMAL(3, 1)"],
    "DOUBLE": ["'nan'::DOUBLE", "'inf'::DOUBLE", "'-inf'::DOUBLE", "1e300", "0.1::DOUBLE", "5e-324::DOUBLE"],
    "ENUM": ["'a'::ENUM ('a', 'b')"],
    "FLOAT": ["0.1::FLOAT", "'nan'::FLOAT", "'-inf'::FLOAT"],
    "GEOMETRY": ["'POINT (1 2)'::GEOMETRY"],
    "HUGEINT": ["'170141183460469231731687303715884105727'::HUGEINT", f"'-{'9' * 38}'::HUGEINT"],
    "INTEGER": ["-2147483648"],
    "INTERVAL": ["INTERVAL '1 month 3 days 5 seconds'", "INTERVAL '-1000000 hours'", "INTERVAL '290000 years'"],
    "JSON": ["""'{"a": [1.50, null]}'::JSON"""],
    "LIST": ["[1, NULL]", "[]", "[NULL]", "[TIMESTAMP 'infinity', TIMESTAMP '2020-01-01 00:00:00.5']", "[MAP {}]",
             f"['{2**128 - 1}'::UHUGEINT]", "['nan'::DOUBLE]", f"['{'9' * 50}'::BIGNUM]", "['00:00:00+09'::TIMETZ]"],
    "MAP": ["MAP {}", "MAP {1: NULL}", f"MAP {{'{2**128 - 1}'::UHUGEINT: '24:00:00'::TIME}}",
            "MAP {'k': MAP {true: INTERVAL 1 DAY}}", "MAP {TIMESTAMP '2020-01-01': 1}"],
    "NULL": ["NULL"],
    "SMALLINT": ["(-32768)::SMALLINT"],
    "STRUCT": ["{'a': NULL, 'b c': ['24:00:00'::TIME]}", "{'a': MAP {}, 'b': {'c': '01'::BIT}}"],
    "TIME": ["'24:00:00'::TIME", "'10:00:00.5'::TIME"],
    "TIME WITH TIME ZONE": ["'00:00:00+09'::TIMETZ", "'24:00:00-15:59:59'::TIMETZ"],
    "TIMESTAMP": ["TIMESTAMP 'infinity'", "TIMESTAMP '-infinity'", "TIMESTAMP '294247-01-10 04:00:54.775806'",
                  "TIMESTAMP '2020-01-01 00:00:00.5'", "TIMESTAMP '290308-12-22 (BC) 00:00:00'"],
    "TIMESTAMP WITH TIME ZONE": ["TIMESTAMPTZ 'infinity'", "TIMESTAMPTZ '294247-01-10 04:00:54.775806+00'",
                                 "TIMESTAMPTZ '2020-01-01 00:00:00.5+09'"],
    "TIMESTAMPTZ_NS": ["'2020-01-01 00:00:00.123456789+09'::TIMESTAMPTZ_NS"],
    "TIMESTAMP_MS": ["'294247-01-10 00:00:00.123'::TIMESTAMP_MS", "'infinity'::TIMESTAMP_MS"],
    "TIMESTAMP_NS": ["'2020-01-01 00:00:00.123456789'::TIMESTAMP_NS", "'-infinity'::TIMESTAMP_NS"],
    "TIMESTAMP_S": ["'294247-01-10'::TIMESTAMP_S", "'infinity'::TIMESTAMP_S"],
    "TIME_NS": ["'10:00:00.123456789'::TIME_NS", "'24:00:00'::TIME_NS"],
    "TINYINT": ["(-128)::TINYINT"],
    "TUPLE": ["row(1, 2)", f"row('a', '{2**128 - 1}'::UHUGEINT)"],
    "TYPE": ["get_type(1)"],
    "UBIGINT": ["18446744073709551615::UBIGINT"],
    "UHUGEINT": [f"'{2**128 - 1}'::UHUGEINT"],
    "UINTEGER": ["4294967295::UINTEGER"],
    "UNION": ["union_value(a := 1)", f"'{2**128 - 1}'::UHUGEINT::UNION(n UHUGEINT)", "union_value(t := '24:00'::TIME)"],
    "USMALLINT": ["65535::USMALLINT"],
    "UTINYINT": ["255::UTINYINT"],
    "UUID": ["'12345678-1234-1234-1234-123456789012'::UUID"],
    "VARCHAR": ["'a\"b' || chr(10) || '가'", "'a' || chr(0)"],
    "VARIANT": ["1::VARIANT", "{'a': '24:00:00'::TIME}::VARIANT"],
}  # fmt: skip
NESTED = {"ARRAY", "LIST", "MAP", "STRUCT", "UNION"}


def test_the_matrix_has_each_type_of_duckdb(session):
    types = session._db.cursor().execute("SELECT DISTINCT logical_type FROM duckdb_types() WHERE internal").fetchall()
    assert {name for (name,) in types} == set(VALUES) - {"JSON"}  # JSON is a VARCHAR


def shown(session, value: str, form: str, tmp_path, capsys) -> str | None:
    """The value as a format has it, as a text."""
    result = session.query(f"SELECT {value} AS value", typed=form == "parquet")
    if form == "parquet":
        write_file(result, tmp_path / "a.parquet", form)
        return duckdb.connect().execute(
            "SELECT value::VARCHAR FROM read_parquet($file)", {"file": str(tmp_path / "a.parquet")}
        ).fetchone()[0]  # fmt: skip
    if form == "table":
        print_table(result)
        return capsys.readouterr().out.splitlines()[3].strip()
    stream = io.BytesIO()
    write(result, stream, form)
    if form == "csv":
        (row,) = list(csv.reader(io.StringIO(stream.getvalue().decode(), newline="")))[1:]
        return unescape_cell(row[0]) if row else None
    (row,) = json.loads(stream.getvalue(), parse_int=str, parse_float=str, parse_constant=pytest.fail)
    found = row["value"]
    if isinstance(found, (dict, list)):
        return stream.getvalue().decode().split(": ", 1)[1].rsplit("}", 1)[0]
    return json.dumps(found) if isinstance(found, bool) else found


@pytest.mark.parametrize("form", ["table", "csv", "json", "parquet"])
@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in VALUES.items() for value in values])
def test_a_value_is_what_duckdb_shows_or_is_refused_by_name(session, form, kind, value, tmp_path, capsys):
    db = session._db.cursor()
    (expected,) = db.execute(f"SELECT ({value})::VARCHAR").fetchone()
    (type_name,) = db.execute(f"SELECT typeof({value})").fetchone()
    if form == "parquet" and (kind == "UNION" or "105727" in value):
        with pytest.raises(OptionError, match=r"CAST the column to VARCHAR|out of range of DECIMAL\(38"):
            shown(session, value, form, tmp_path, capsys)
        return
    found = shown(session, value, form, tmp_path, capsys)
    if expected is None or found == expected:
        assert found == expected or not found
    elif kind in NESTED and found.replace('"', "") == expected.replace(
        "'", ""
    ):  # JSON quotes strings, DuckDB quotes names
        return
    elif kind in ("FLOAT", "DOUBLE"):
        is_rounded = form == "table" or kind == "FLOAT"
        assert math.isclose(float(found.replace(",", "")), float(expected), rel_tol=1e-3 if is_rounded else 0)
    elif kind == "DECIMAL":
        assert Decimal(found) == Decimal(expected)
    elif kind == "VARCHAR":
        assert form == "table"  # control characters are not printed
    else:
        read = "from_base64($found)" if kind == "BLOB" else f"$found::{type_name}"
        if kind in NESTED and form != "parquet":
            read = f"$found::JSON::{type_name}"
        assert db.execute(f"SELECT ({read})::VARCHAR", {"found": found}).fetchone()[0] == expected


def test_columns_with_equal_names_are_renamed_as_in_a_table(session, tmp_path):
    query = "SELECT 1 AS n, 2 AS n, 3 AS n_1, 4 AS N, 5 AS other"
    names = duckdb.sql(f"CREATE TEMP TABLE renamed AS {query}; FROM renamed").columns
    duckdb.execute("DROP TABLE renamed")
    assert len({name.lower() for name in names}) == 5
    stream = io.BytesIO()
    write(session.query(query), stream, "json")
    assert json.loads(stream.getvalue()) == [dict(zip(names, range(1, 6), strict=True))]
    assert session.relation(query).columns == names
    write_file(session.query(query, typed=True), tmp_path / "a.parquet", "parquet")
    assert pa.parquet.read_table(tmp_path / "a.parquet").to_pylist() == [dict(zip(names, range(1, 6), strict=True))]


def test_the_order_of_the_rows_stays_if_columns_are_converted(session):
    query = "SELECT x::UHUGEINT AS n, x AS n FROM range(300000) AS t(x) ORDER BY hash(x)"
    expected = [str(x) for (x,) in session.relation("SELECT x FROM range(300000) AS t(x) ORDER BY hash(x)").fetchall()]
    assert [one for batch in session.query(query).batches for one in batch.column(0).to_pylist()] == expected


def test_parquet_keeps_types_that_it_can_represent(session):
    schema = session.query("SELECT '10:00'::TIME AS t, sum(1) AS n, 0.5::FLOAT AS f", typed=True).schema
    assert schema.types == [pa.time64("us"), pa.decimal128(38, 0), pa.float32()]
