"""Folders of tables: only files that the table still contains are read, and other tables are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emojob.pipeline.reading.files.table_folders import table_format
from emojob.pipeline.reading.inputs import find_inputs
from emojob.schemas.errors import DataError, NothingFound

PROTOCOL = {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}


def add(path: str, **more: object) -> dict:
    days = [part[4:] for part in path.split("/") if part.startswith("day=")]
    return {"add": {"path": path, "size": 1, "partitionValues": {"day": days[0]} if days else {}, **more}}


def remove(path: str) -> dict:
    return {"remove": {"path": path, "dataChange": True}}


def meta(**configuration: str) -> dict:
    return {"metaData": {"id": "x", "partitionColumns": [], "configuration": configuration}}


def delta(root: Path, *versions: list[dict]) -> Path:
    """Write a Delta table with one row in each file that a version adds."""
    (root / "_delta_log").mkdir(parents=True)
    for number, actions in enumerate(versions):
        (root / f"_delta_log/{number:020d}.json").write_text("\n".join(map(json.dumps, actions)))
        for action in actions:
            path = root / action.get("add", {}).get("path", "a.parquet").replace("%20", " ")
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table({"text": ["가"]}), path)
    return root


def names(*given: object) -> list[str]:
    return [Path(file.name).name for file in find_inputs(list(map(str, given)))]


def test_only_live_files_of_a_delta_table_are_found_however_they_are_given(tmp_path: Path) -> None:
    root = delta(
        tmp_path / "lake/chat",
        [PROTOCOL, meta(), add("day=1/a.parquet"), add("day=2/b%20c.parquet")],
        [remove("day=1/a.parquet"), add("day=1/d.parquet")],
    )
    (tmp_path / "lake/e.csv").write_text("text\n가\n")
    (root / "notes.csv").write_text("text\n가\n")
    assert names(root) == ["d.parquet", "b c.parquet"]
    assert names(tmp_path / "lake") == ["d.parquet", "b c.parquet", "e.csv"]
    assert names(root / "day=1") == names(f"{root}/day=1/*.parquet") == ["d.parquet"]
    assert [file.partitions for file in find_inputs([str(root)])] == [(("day", "1"),), (("day", "2"),)]
    with pytest.raises(NothingFound, match="no rows of this input any more"):
        find_inputs([str(root / "day=1/a.parquet")])


@pytest.mark.parametrize("parts", [1, 2])
def test_a_checkpoint_stands_for_earlier_versions(tmp_path: Path, parts: int) -> None:
    root = delta(tmp_path, [PROTOCOL, meta()], [add("a.parquet"), add("b.parquet")], [remove("a.parquet")])
    rows = [PROTOCOL, add("a.parquet"), add("b.parquet")]
    schema = pa.schema(
        [
            ("protocol", pa.struct([("minReaderVersion", pa.int32())])),
            ("add", pa.struct([("path", pa.string()), ("partitionValues", pa.map_(pa.string(), pa.string()))])),
        ]
    )
    middles = [""] if parts == 1 else [f".{part:010d}.{parts:010d}" for part in (1, 2)]
    for middle, some in zip(middles, [rows] if parts == 1 else [rows[:2], rows[2:]], strict=True):
        file = root / f"_delta_log/{1:020d}.checkpoint{middle}.parquet"
        pq.write_table(pa.Table.from_pylist(some, schema), file)
    (root / f"_delta_log/{0:020d}.json").unlink()
    assert names(root) == ["b.parquet"]
    file.unlink()
    with pytest.raises(DataError, match="its log is incomplete"):
        find_inputs([str(root)])


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([add("a.parquet", deletionVector={"storageType": "u"})], "deletion vectors"),
        ([meta(**{"delta.columnMapping.mode": "name"}), add("a.parquet")], "column mapping"),
        ([{"protocol": {"minReaderVersion": 3, "readerFeatures": ["variantType"]}}, add("a.parquet")], "variantType"),
        ([{"protocol": {"minReaderVersion": 4}}, add("a.parquet")], "version 4 of the protocol"),
        ([add("x/a.parquet", partitionValues={"day": "1"})], "lack the partition columns"),
        ([add("_day=1/a.parquet")], "begin with _"),
    ],
)
def test_a_delta_table_whose_files_do_not_tell_the_rows_is_refused(tmp_path: Path, actions, message) -> None:
    root = delta(tmp_path / "chat", [PROTOCOL, *actions, add("b.parquet")])
    with pytest.raises(DataError, match=rf"table of Delta.*{message}.*spark\.read.*, and give chat\.parquet"):
        find_inputs([str(root)])


def test_a_damaged_log_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    root = delta(tmp_path, [PROTOCOL, add("a.parquet"), add("b.parquet")])
    (root / "a.parquet").unlink()
    with pytest.raises(DataError, match=r"a\.parquet is missing, but the log"):
        find_inputs([str(root)])
    (root / f"_delta_log/{0:020d}.json").write_text('{"add": ')
    with pytest.raises(DataError, match="_delta_log cannot be read"):
        find_inputs([str(root)])


def test_tables_of_iceberg_and_hudi_are_refused_with_the_newest_metadata(tmp_path: Path) -> None:
    for folder in ("ice/data", "ice/metadata", "hudi/.hoodie"):
        (tmp_path / folder).mkdir(parents=True)
    for folder in ("ice/data", "hudi"):
        pq.write_table(pa.table({"text": ["가"]}), tmp_path / folder / "a.parquet")
    for version in (9, 10):
        (tmp_path / f"ice/metadata/v{version}.metadata.json").write_text("{}")
    for given in (tmp_path / "ice", tmp_path / "ice/data", tmp_path):
        with pytest.raises(DataError, match=r"table of (Iceberg.*pip install .*v10\.metadata|Hudi.*spark\.read)"):
            find_inputs([str(given)])
    assert [table_format(tmp_path / name) for name in ("ice/data", "hudi", ".")] == ["Iceberg", "Hudi", None]
