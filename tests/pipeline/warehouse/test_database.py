"""Opening an archive as a database: its settings, and the errors of damaged parts."""

import pyarrow.parquet as pq
import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.warehouse.aggregates import rows_of, store
from emojob.pipeline.warehouse.database import memory_limit, open_database, settings
from emojob.schemas.errors import DataError, Interrupted
from emojob.schemas.labels import DEFAULT_LABELS
from tests.archives import table_of, utterance, write_archive


def test_a_single_file_is_an_archive_too(tmp_path):
    about = b'{"format": 1, "run": {"text_column": "text", "prefix": ""}}'
    table = table_of([utterance("기쁨"), utterance("분노")], labels=DEFAULT_LABELS).replace_schema_metadata(
        {b"emojob": about}
    )
    pq.write_table(table, tmp_path / "one.parquet")
    with open_database(open_labelled(tmp_path / "one.parquet")) as db:
        store(db, "hours")
        store(db, "label_hours")
        assert {row["emotion"]: row["rows"] for row in rows_of(db, "emotions")} == {"기쁨": 1, "분노": 1}


def test_a_damaged_part_is_named(tmp_path):
    out = write_archive(tmp_path, [utterance("기쁨")] * 2000)
    archive = open_labelled(out)
    file = archive.part_files[0].file
    file.write_bytes(b"PAR1" + b"\0" * (file.stat().st_size - 8) + b"PAR1")
    with pytest.raises(DataError, match="cannot be read"), open_database(archive) as db:
        db.execute("SELECT count(emotion), max(text) FROM labelled").fetchall()


def test_a_missing_part_is_a_data_error(tmp_path):
    archive = open_labelled(write_archive(tmp_path, [utterance("기쁨")]))
    archive.part_files[0].file.unlink()
    with pytest.raises(DataError, match="cannot be read"), open_database(archive):
        pass


def test_an_interrupted_query_raises_interrupted(tmp_path):
    with pytest.raises(Interrupted), open_database(open_labelled(write_archive(tmp_path, [utterance("기쁨")]))):
        raise RuntimeError("Query interrupted")


def test_settings_forbid_downloads_and_limit_memory():
    found = settings("/tmp/x", 1 << 30)
    assert found["memory_limit"] == f"{memory_limit(1 << 30) >> 20}MiB"
    assert memory_limit(1 << 20) == 1 << 20
    assert not found["autoinstall_known_extensions"]
    assert not found["autoload_known_extensions"]
