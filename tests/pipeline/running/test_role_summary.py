"""A user sees which columns serve as text, time, conversation and speaker, and which times cannot be read."""

import pyarrow as pa
import pyarrow.parquet as pq

from emojob.pipeline.reading.dataset import open_dataset
from emojob.pipeline.reading.inputs import find_inputs
from emojob.pipeline.running.role_summary import roles_of_archive, roles_of_dataset
from emojob.schemas.options import ScoreOptions
from tests.archives import utterance, write_archive


def of_table(file, table: dict, **options):
    pq.write_table(pa.table(table), file)
    given = ScoreOptions(**options)
    return roles_of_dataset(open_dataset(find_inputs([str(file)]), given), given)


def test_the_columns_of_a_shop_are_named(tmp_path):
    table = {"room_id": [1], "seq": [1], "who": ["고객"], "ch": ["앱"], "created": ["2026-11-20 10:00"], "msg": ["네"]}
    found = of_table(tmp_path / "a.parquet", {**table, "order_no": [1]})
    assert found.line == "text msg, time created, conversation room_id, speaker who"
    assert found.time_note is None


def test_a_missing_column_has_its_option(tmp_path):
    found = of_table(tmp_path / "a.parquet", {"text": ["네"], "date": ["2026-11-20"], "time": ["10:00"]})
    assert found.line == (
        "text text, time date+time, conversation none (--conversation-column), speaker none (--speaker-column)"
    )
    found = of_table(tmp_path / "a.parquet", {"text": ["네"], "at": ["2026-11-20"]}, time_column="at")
    assert "time at," in found.line


def test_the_share_of_times_that_cannot_be_read_is_said_with_a_form_and_without_a_value(tmp_path):
    times = [f"2026.11.19 XM 03:10:{i:02d}" for i in range(30)] + ["2026-11-20 10:00"] * 10
    note = of_table(tmp_path / "a.parquet", {"text": ["네"] * 40, "created": times}).time_note
    assert note.startswith("75% of the times cannot be read: 30 values of the column created are not times")
    assert "9999.99.99 aa 99:99:99" in note
    assert "2026.11.19" not in note
    many = {"text": ["네"] * 9_000, "created": ["모름"] * 9_000}
    assert "in a sample of 4,096 rows, 4,096 values" in of_table(tmp_path / "b.parquet", many).time_note


def test_an_archive_says_the_same(tmp_path):
    rows = [utterance("기쁨", date="46340.5", who="고객")]
    found = roles_of_archive(write_archive(tmp_path / "out", rows))
    assert found.line == "text text, time date, conversation none (--conversation-column), speaker who"
    assert "like Excel's day numbers" in found.time_note
