"""Binary columns with UTF-8 are text, as Impala and Hive write them; other bytes are rejected row by row."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.reading.dataset import Dataset, open_dataset, read_batches
from emojob.pipeline.reading.inputs import find_inputs
from emojob.pipeline.reading.row_batches import RowBatch
from emojob.schemas.errors import ColumnError
from emojob.schemas.options import ReadOptions

TEXTS = ["가요", None, "나요", ""]


def opened(path: Path, given: str | None = None, roles: tuple[str, ...] = (), **columns: object) -> Dataset:
    pq.write_table(pa.table(columns), path / "a.parquet")
    return open_dataset(find_inputs([str(path)]), ReadOptions(given), roles=roles)


def batches(dataset: Dataset, start_row: int = 0) -> list[RowBatch]:
    return [one for source in dataset.sources for one in read_batches(dataset, source, start_row, 2)]


def as_bytes(values: list[str | None]) -> pa.Array:
    return pa.array(values, pa.string()).cast(pa.binary())


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.dictionary(pa.int32(), pa.binary())], ids=str)
def test_bytes_with_a_usual_name_are_the_text_and_other_bytes_stay_bytes(tmp_path: Path, kind: pa.DataType) -> None:
    text = as_bytes(TEXTS)
    text = text.dictionary_encode() if pa.types.is_dictionary(kind) else text.cast(kind)
    dataset = opened(tmp_path, text=text, speaker=text, payload=text, room_id=pa.array([b"\xff", b"a", None, b"b"]))
    assert dataset.text_column == "text"
    assert [dataset.schema.field(name).type for name in ("text", "speaker", "payload", "room_id")] == [
        pa.string(), pa.string(), kind, pa.binary(),
    ]  # fmt: skip
    rows = [row for one in batches(dataset) for row in one.batch.to_pylist()]
    assert [row["text"] for row in rows] == [row["speaker"] for row in rows] == TEXTS
    assert [row["room_id"] for row in rows] == [b"\xff", b"a", None, b"b"]


def test_a_named_text_column_and_named_roles_may_be_bytes(tmp_path: Path) -> None:
    dataset = opened(tmp_path, "said", ("who",), said=as_bytes(TEXTS), who=as_bytes(TEXTS), text=["x"] * 4)
    assert dataset.text_column == "said"
    assert dataset.schema.field("who").type == pa.string()


@pytest.mark.parametrize("start_row", range(5))
def test_a_row_whose_bytes_are_no_text_is_rejected_with_its_number(tmp_path: Path, start_row: int) -> None:
    values = [b"a", b"\xff\xea\xb0\x80", None, b"c", b"\x80"]
    dataset = opened(tmp_path, text=pa.array(values), n=list(range(5)))
    found = batches(dataset, start_row)
    assert [row for one in found for row in one.batch.column("n").to_pylist()] == [
        n for n in (0, 2, 3) if n >= start_row
    ]
    rejects = [(one.position, one.reason, one.raw) for batch in found for one in batch.rejects]
    expected = [(2, "text is not valid UTF-8", "\ufffd가"), (5, "text is not valid UTF-8", "\ufffd")]
    assert rejects == [one for one in expected if one[0] > start_row]
    assert sum(one.rows_read for one in found) == 5 - start_row


def test_bytes_that_are_no_text_are_not_chosen(tmp_path: Path) -> None:
    images = pa.array([b"\xff\xd8\xff", b"\x89PNG", b"\xff"])
    with pytest.raises(ColumnError, match=r"'content' is binary"):
        opened(tmp_path, content=images, id=[1, 2, 3])
    with pytest.raises(ColumnError, match=r"'content' .* has the type binary, not string"):
        opened(tmp_path, "content", content=images, id=[1, 2, 3])
    assert opened(tmp_path, content=images, text=["가"] * 3).text_column == "text"


def test_files_with_bytes_and_with_strings_are_one_dataset(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["다"]}), tmp_path / "b.parquet")
    dataset = opened(tmp_path, text=as_bytes(["가", "나"]))
    assert [row for one in batches(dataset) for row in one.batch.column("text").to_pylist()] == ["가", "나", "다"]
