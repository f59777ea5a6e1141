"""The privacy options: what is masked, dropped and hashed before it is written."""

import hashlib
import hmac
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from emojob.pipeline.privacy.policy import KEY_VARIABLE, NOTHING, Privacy, hashed, privacy_of
from emojob.pipeline.reading.dataset import Dataset
from emojob.pipeline.reading.files.input_file import InputFile
from emojob.pipeline.reading.row_batches import Reject
from emojob.pipeline.reading.source import Source
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


_MOMENTS = [1_795_393_800_000_000_000 + i for i in (0, 1, 1_000, 1_000_000, 1_000_000_000)] + [-1, -1_000_000_000]
_BYTES = [i.to_bytes(4, "big") for i in (0, 1, 128, 255, 65_279, 2**31, 2**32 - 1)]
_DIFFERENT = {
    "binary": pa.array(_BYTES, pa.binary()),
    "fixed-size binary": pa.array(_BYTES, pa.binary(4)),
    "large binary": pa.array(_BYTES, pa.large_binary()),
    "dictionary of binary": pa.array(_BYTES, pa.binary()).dictionary_encode(),
    "invalid UTF-8": pa.Array.from_buffers(pa.string(), 2, pa.array([b"\xff", b"\xfe"]).buffers()),
    "nanoseconds": pa.array(_MOMENTS, pa.timestamp("ns")),
    "microseconds": pa.array([0, 1, 10, 100_000, -1, 2**62, -(2**62)], pa.timestamp("us")),
    "milliseconds with a zone": pa.array([0, 1, 10, 100, -1, 1_000], pa.timestamp("ms", "Asia/Seoul")),
    "times": pa.array([0, 1, 1_000, 1_000_000, 86_399_999_999], pa.time64("us")),
    "durations": pa.array([0, 1, 1_000, -1, 2**62], pa.duration("ns")),
    "days": pa.array([0, 1, -1, 20_000], pa.date32()),
    "days in milliseconds": pa.array([0, 1, 86_400_000, -1], pa.date64()),
    "decimals": pa.array([Decimal("0.10"), Decimal("0.11"), Decimal("-0.10")], pa.decimal128(38, 2)),
    "doubles": pa.array([0.1, 0.1 + 2**-56, 1e300, 1e-300, 5e-324, float("inf"), float("nan")]),
    "floats": pa.array([0.1, 16777216.0, 16777217.0 - 2, 3e38, 1e-45], pa.float32()),
    "halves": pa.array(np.array([0.1, 0.2, 65504], np.float16)),
    "integers": pa.array([0, 1, -1, 2**63 - 1, -(2**63)]),
    "unsigned": pa.array([0, 2**64 - 1, 2**63], pa.uint64()),
    "booleans": pa.array([True, False]),
    "texts": pa.array(["", " ", "가", "\u1100\u1161", "a", "A", "a\0", "\ufffd"]),
}


@pytest.mark.parametrize("kind", _DIFFERENT)
def test_different_values_have_different_pseudonyms(kind):
    column = _DIFFERENT[kind]
    assert len(set(hashed(column, KEY).to_pylist())) == len(column)


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ([7, 0, -1], [pa.int8(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.string()]),
        ([2**40, 7], [pa.int64(), pa.uint64(), pa.string()]),
        ([b"7", b"ab"], [pa.binary(), pa.large_binary(), pa.binary_view(), pa.string(), pa.string_view()]),
        (["c-1", None], [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string()), pa.binary()]),
        ([1_795_393_800, -60], [pa.timestamp(unit) for unit in ("s", "ms", "us", "ns")]),
    ],
)
def test_the_same_value_has_the_same_pseudonym_in_every_type(values, kinds):
    def column(kind: pa.DataType) -> pa.Array:
        if pa.types.is_timestamp(kind):
            return pa.array(values, pa.timestamp("s")).cast(kind)
        plain = pa.array(values)
        return plain.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else plain.cast(kind)

    found = [hashed(column(kind), KEY).to_pylist() for kind in kinds]
    assert all(one == found[0] for one in found)


def test_minus_zero_is_zero_and_all_nan_are_one():
    values = pa.array(np.array([0x0000, 0x8000, 0x7E00, 0x7E01], np.uint16).view(np.float16).astype(np.float64))
    zero, minus, nan, other = hashed(values, KEY).to_pylist()
    assert (zero, nan) == (minus, other)


def test_pseudonyms_of_texts_integers_and_whole_seconds_do_not_change():
    """Values of archives that emojob wrote before: the pseudonym is the HMAC of the text of the value."""
    columns = [pa.array(["c-1", "가"]), pa.array([7, -12]), pa.array([1_795_393_800_000], pa.timestamp("ms"))]
    texts = [["c-1", "가"], ["7", "-12"], ["2026-11-23 00:30:00"]]
    for column, expected in zip(columns, texts, strict=True):
        values = [hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()[:32] for text in expected]
        assert hashed(column, KEY).to_pylist() == values
