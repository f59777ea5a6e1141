"""Arrow columns of any type become strings; invalid UTF-8 becomes replacement characters."""

import datetime

import pyarrow as pa
import pytest

from emojob.schemas.arrow_text import is_string, python_values, strings, unwrapped

TEXTS = ["네", None, ""]


def invalid_utf8() -> pa.Array:
    raw = pa.array([b"\xff one", None, b"two"], pa.binary())
    return pa.Array.from_buffers(pa.string(), 3, raw.buffers())


@pytest.mark.parametrize(
    "column",
    [
        pa.array(TEXTS),
        pa.array(TEXTS, pa.large_string()),
        pa.array(TEXTS, pa.string_view()),
        pa.array(TEXTS).dictionary_encode(),
    ],
    ids=lambda column: str(column.type)[:12],
)
def test_strings_of_any_type_come_out_the_same(column):
    assert strings(column).equals(pa.array(TEXTS, pa.large_string()))
    assert is_string(unwrapped(column).type)
    assert python_values(column) == TEXTS


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([7, None]), ["7", None]),
        (pa.array([datetime.datetime(2026, 10, 5, 9, 30, 0, 999)]), ["2026-10-05 09:30:00"]),
        (pa.array([[1, 2], None]), ["[1, 2]", None]),
        (pa.nulls(2), [None, None]),
        (pa.array([b"a", b"\xff"]), ["a", "\ufffd"]),
        (invalid_utf8(), ["\ufffd one", None, "two"]),
    ],
    ids=lambda value: str(getattr(value, "type", ""))[:12],
)
def test_values_of_any_type_become_strings(column, expected):
    assert strings(column).to_pylist() == expected
    assert strings(column).type == pa.large_string()


def test_invalid_utf8_becomes_replacement_characters_in_python_values():
    assert python_values(invalid_utf8()) == ["\ufffd one", None, "two"]
    assert python_values(pa.chunked_array([invalid_utf8()])) == ["\ufffd one", None, "two"]
