"""The privacy options: what is masked, dropped and hashed before it is written."""

import hashlib
import hmac
from pathlib import Path

import pyarrow as pa
import pytest

from emojob.pipeline.privacy.policy import KEY_VARIABLE, NOTHING, Privacy, hashed, privacy_of
from emojob.pipeline.reading.dataset import Dataset, Source
from emojob.pipeline.reading.inputs import InputFile
from emojob.pipeline.reading.row_batches import Reject
from emojob.schemas.columns import RAW_CHARACTERS, READ_CHARACTERS
from emojob.schemas.errors import ColumnError, OptionError
from emojob.schemas.options import ScoreOptions

KEY = b"0123456789abcdef"
SCHEMA = pa.schema([("id", pa.int64()), ("text", pa.string()), ("tags", pa.list_(pa.string()))])
BATCH = pa.record_batch(
    {"id": [7, None], "text": ["010-1234-5678로 주세요", None], "tags": [["a"], None]}, schema=SCHEMA
)


def dataset(**file: object) -> Dataset:
    source = Source(InputFile(Path("/logs/a.csv"), "csv", None, **file), 1, "", SCHEMA)
    return Dataset([source], SCHEMA, "text")


def test_without_options_rows_are_written_as_they_were_read():
    privacy = Privacy("text")
    assert privacy.batch(BATCH) == BATCH
    assert privacy.as_json() == dict(NOTHING)


def test_masking_changes_the_text_column_only():
    rows = Privacy("text", masked=True).batch(BATCH)
    assert rows.column("text").to_pylist() == ["[전화번호]로 주세요", None]
    assert rows.select(["id", "tags"]) == BATCH.select(["id", "tags"])


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())])
def test_masking_keeps_the_type_of_the_text(kind):
    batch = pa.record_batch([BATCH.column("text").cast(kind)], names=["text"])
    masked = Privacy("text", masked=True).batch(batch).column("text")
    assert masked.type == kind
    assert masked.to_pylist() == ["[전화번호]로 주세요", None]


def test_dropping_removes_the_text_column():
    privacy = Privacy("text", text_dropped=True)
    assert privacy.batch(BATCH).schema == privacy.schema(SCHEMA)
    assert privacy.schema(SCHEMA).names == ["id", "tags"]


def test_a_batch_whose_only_column_is_dropped_keeps_its_rows():
    batch = Privacy("text", text_dropped=True).batch(BATCH.select(["text"]))
    assert (batch.num_columns, batch.num_rows) == (0, 2)


def test_a_hash_is_the_first_half_of_hmac_sha256_in_hexadecimal():
    expected = hmac.new(KEY, b"7", hashlib.sha256).hexdigest()[:32]
    assert hashed(pa.array([7, None]), KEY).to_pylist() == [expected, None]
    assert hashed(pa.array(["7"]), KEY).to_pylist() == [expected]  # a number and its text: Parquet and CSV agree
    assert hashed(pa.array([7]), KEY + b"x").to_pylist() != [expected]


def test_hashed_columns_are_strings():
    privacy = Privacy("text", hashed=("id",), key=KEY)
    assert privacy.batch(BATCH).schema == privacy.schema(SCHEMA)
    assert privacy.schema(SCHEMA).field("id").type == pa.string()


def test_the_pandas_metadata_is_dropped_when_columns_change():
    schema = SCHEMA.with_metadata({b"pandas": b"{}", b"mine": b"1"})
    assert Privacy("text").schema(schema).metadata == schema.metadata
    assert Privacy("text", text_dropped=True).schema(schema).metadata == {b"mine": b"1"}


@pytest.mark.parametrize(
    ("privacy", "raw"),
    [
        (Privacy("text"), "[전화번호],a"),  # also without --mask-pii
        (Privacy("text", rejects_masked=False), "010-1234-5678,a"),
        (Privacy("text", rejects_masked=False, text_dropped=True), ""),
        (Privacy("text", rejects_masked=False, hashed=("id",), key=KEY), ""),
    ],
)
def test_the_raw_text_of_rejected_rows_is_protected_too(privacy, raw):
    reject = Reject(3, "too many fields", "010-1234-5678,a")
    assert privacy.rejects([reject]) == [Reject(3, "too many fields", raw)]
    assert privacy.rejects([]) == []


@pytest.mark.parametrize(
    "personal",
    ["010-1234-5678", "900101-1234568", "hong.gildong@example.com", "공일공 일이삼사 오육칠팔"],
)
@pytest.mark.parametrize("filler", ["가 ", "a, ", "7 개 "])
def test_no_part_of_personal_data_is_left_where_a_rejected_row_is_cut(personal, filler):
    """At each place of the cut, also if the cut would leave most of a number."""
    shown = Privacy("text").rejects([Reject(1, "r", f"가 {personal} 가")])[0].raw[2:-2]
    assert shown.startswith("[")
    for at in range(RAW_CHARACTERS - len(personal) - 3, RAW_CHARACTERS + 3):
        before = (filler * RAW_CHARACTERS)[: at - 1] + " "
        raw = (before + personal + " 가" * RAW_CHARACTERS)[:READ_CHARACTERS]
        (found,) = Privacy("text").rejects([Reject(1, "too many fields", raw)])
        assert len(found.raw) <= RAW_CHARACTERS
        assert found.raw.startswith(before.rstrip()[: RAW_CHARACTERS - 40])
        after = found.raw[len(before) :]
        assert after == "" or after.startswith(shown), after
    (kept,) = Privacy("text", rejects_masked=False).rejects([Reject(1, "too many fields", raw)])
    assert kept.raw == raw[:RAW_CHARACTERS]


def test_a_masked_row_shows_no_characters_behind_the_cut():
    """Placeholders are shorter than numbers, so characters behind the cut would move forward."""
    raw = ("010-1234-5678 " * READ_CHARACTERS)[:READ_CHARACTERS]
    (found,) = Privacy("text").rejects([Reject(1, "too many fields", raw)])
    assert found.raw.split() == ["[전화번호]"] * (RAW_CHARACTERS // 14)


def test_run_json_shows_which_key_was_used_and_not_the_key():
    first = Privacy("text", hashed=("id",), key=KEY).as_json()["hash_key"]
    assert first != Privacy("text", hashed=("id",), key=KEY + b"x").as_json()["hash_key"]
    assert KEY.decode() not in first
    assert KEY.decode() not in repr(Privacy("text", key=KEY))


@pytest.mark.parametrize(
    ("column", "error", "words"),
    [
        ("nothing", ColumnError, "nothing: the input has no such column.*id, text, tags"),
        ("text", OptionError, "--drop-text"),
        ("tags", ColumnError, "tags: values of type list"),
        ("shop", ColumnError, r"values in folder names \(shop=\.\.\.\)"),
    ],
)
def test_a_column_that_cannot_be_hashed_is_refused(column, error, words, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, KEY.decode())
    with pytest.raises(error, match=words):
        privacy_of(ScoreOptions(hash_columns=(column,)), dataset(partitions=(("shop", "1"),)))


@pytest.mark.parametrize(
    ("key", "words"),
    [(None, "needs a key"), (b"", "0 bytes"), (b"short\n", "5 bytes"), (b"x" * 70_000, "65,536 bytes")],
)
def test_a_missing_or_unusable_key_is_refused_with_the_command_that_makes_one(key, words, tmp_path, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    file = None
    if key is not None:
        (tmp_path / "my.key").write_bytes(key)
        file = str(tmp_path / "my.key")
    with pytest.raises(OptionError, match=words) as refused:
        privacy_of(ScoreOptions(hash_columns=("id",), hash_key_file=file), dataset())
    assert "/dev/urandom" in str(refused.value)


def test_the_key_is_read_from_a_file_or_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, KEY.decode())
    (tmp_path / "my.key").write_bytes(b"another key, 16 bytes\n")
    options = ScoreOptions(hash_columns=("id",))
    assert privacy_of(options, dataset()).key == KEY
    given = ScoreOptions(hash_columns=("id",), hash_key_file=str(tmp_path / "my.key"))
    assert privacy_of(given, dataset()).key == b"another key, 16 bytes"
