"""Numbers that DuckDB would change are shown as text; other numbers stay numbers."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.warehouse.export import export_database
from emojob.pipeline.warehouse.forget import forget
from emojob.pipeline.warehouse.open_archive import open_archive
from emojob.schemas.errors import OptionError
from tests.archives import table_of, utterance, write_part, write_run

LABELS = ("일상", "분노", "불안", "슬픔", "기쁨", "우울")
WIDE = Decimal("1234567890123456789012345678901234567890.12")


def archive_of(out: Path, *columns: pa.Array) -> Path:
    """Write an archive with a part for each column, which is named `n`."""
    for number, column in enumerate(columns):
        rows = [utterance("기쁨", text=f"{number}-{i}") for i in range(len(column))]
        table = table_of(rows, labels=LABELS)
        write_part(out, table.add_column(0, "n", column), number)
    return write_run(out)


@pytest.mark.parametrize(
    ("columns", "kind", "texts"),
    [
        ([pa.array([2**53]), pa.array([0.5])], "DOUBLE", ["9007199254740992.0", "0.5"]),
        ([pa.array([2**53 + 1, None]), pa.array([0.5])], "VARCHAR", ["9007199254740993", None, "0.5"]),
        ([pa.array([2**24 + 1], pa.int32()), pa.array([0.5], pa.float32())], "VARCHAR", ["16777217", "0.5"]),
        ([pa.array([WIDE, None], pa.decimal256(76, 2))], "VARCHAR", [str(WIDE), None]),
        ([pa.array([[WIDE]], pa.list_(pa.decimal256(76, 2)))], "VARCHAR", [f'["{WIDE}"]']),
        ([pa.array([Decimal("1.5")]), pa.array([0.25])], "VARCHAR", ["1.5", "0.25"]),
        ([pa.array([10**30], pa.decimal128(38, 0)), pa.array([Decimal("0.00000000001")])], "VARCHAR",
         ["1" + 30 * "0", "0.00000000001"]),
        ([pa.array([Decimal("1.5")]), pa.array([Decimal("0.25")])], "DECIMAL(3,2)", ["1.50", "0.25"]),
    ],
    ids=["exact", "long", "int32", "decimal256", "nested", "decimal and double", "wide decimals", "decimals"],
)  # fmt: skip
def test_numbers_that_duckdb_would_change_are_text(tmp_path: Path, columns, kind, texts) -> None:
    out = archive_of(tmp_path / "out", *columns)
    with open_archive(out) as archive:
        found = archive.sql("SELECT n::VARCHAR, typeof(n) FROM labelled ORDER BY text").fetchall()
    assert [value for value, _ in found] == texts
    assert {name for _, name in found} == {kind}


def test_the_texts_belong_to_their_rows_in_each_query_and_after_a_forgetting(tmp_path: Path) -> None:
    many = [Decimal(i).scaleb(40) for i in range(7000)]
    out = archive_of(
        tmp_path / "out", pa.array(many[:5000], pa.decimal256(60, 0)), pa.array(many[5000:], pa.decimal256(60, 0))
    )
    row = "(split_part(text, '-', 1)::INT * 5000 + split_part(text, '-', 2)::INT)"
    wrong = f"SELECT count(*) FROM labelled WHERE n <> {row}"
    with open_archive(out) as archive:
        assert archive.sql(f"{wrong} || repeat('0', 40)").fetchall() == [(1,)]  # only 0
    assert forget(out, f"n = '{6000}{40 * '0'}'").rows == 1
    assert open_archive(out).to_arrow()["n"].to_pylist() == [*many[:6000], *many[6001:]]


def test_an_export_needs_a_copy(tmp_path: Path) -> None:
    out = open_labelled(archive_of(tmp_path / "out", pa.array([WIDE], pa.decimal256(76, 2))))
    with pytest.raises(OptionError, match=r"would change values of n .*; with --copy"):
        export_database(out, tmp_path / "a.duckdb")
    export_database(out, tmp_path / "a.duckdb", copy=True)
