"""The annotators' sheet: a spreadsheet neither calculates nor converts any text, and every text comes back."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from emojob.schemas.sheet import SHEET_COLUMNS, escape_cell, is_sheet, unescape_cell

# characters that matter here, far more often than by chance
TEXTS = st.text(st.sampled_from("'=+-@＝＠ \t\r\n\ufeff\u200b0123년월일e가네,\"") | st.characters())


@given(TEXTS)
@example("''=1")
@example("'")
@example("'안녕")
def test_an_escaped_cell_is_restored_exactly(text):
    assert unescape_cell(escape_cell(text)) == text
    assert unescape_cell(escape_cell(text, keep_values=True)) == text


@given(TEXTS)
def test_no_cell_begins_as_a_formula(text):
    for cell in (escape_cell(text), escape_cell(text, keep_values=True)):
        assert not cell.lstrip("\ufeff\u200b \t\r\n").startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))
        assert not cell.startswith(("\t", "\r", "\n"))


@given(st.lists(TEXTS, min_size=1))
def test_a_row_of_escaped_cells_survives_csv(texts):
    stream = io.StringIO(newline="")
    csv.writer(stream).writerow([escape_cell(text.replace("\0", "")) for text in texts])
    rows = list(csv.reader(io.StringIO(stream.getvalue(), newline="")))
    assert [[unescape_cell(cell) for cell in row] for row in rows] == [[text.replace("\0", "") for text in texts]]


@pytest.mark.parametrize("text", ["007", "3월 5일", "May 5", "1e5", "오전 10:30", "2026-11-21", "true", "1/2", "5%"])
def test_what_a_spreadsheet_would_convert_stays_text(text):
    assert escape_cell(text) == f"'{text}"
    assert escape_cell(text, keep_values=True) == text


@pytest.mark.parametrize("text", ["3월 5일에 봐요", "고마워요!", "A형이에요", "may", "일", "(웃음)", '"네"', ""])
def test_ordinary_texts_stay_as_they_are(text):
    assert escape_cell(text) == text


def test_a_cell_typed_by_hand_stays_as_it_is():
    assert unescape_cell("=기쁨") == "=기쁨"
    assert unescape_cell("'따옴표로 시작'") == "'따옴표로 시작'"


def test_long_texts_take_little_time():
    for text in ("1" * 200_000, " " * 200_000 + "가", "mar" * 100_000, "e+" * 100_000):
        assert unescape_cell(escape_cell(text)) == text


def test_a_sheet_is_recognized_by_its_columns():
    assert is_sheet(SHEET_COLUMNS)
    assert is_sheet(["memo", "emojob_guess", "label", "text"])
    assert not is_sheet(["text", "label"])
