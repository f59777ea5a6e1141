"""Python, Arrow and DuckDB agree on which characters are blank."""

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from emojob.schemas.blank import NOT_BLANK, is_blank


def test_all_three_engines_agree_on_every_character():
    characters = [chr(code) for code in range(0x11000) if not 0xD800 <= code < 0xE000]
    arrow = pc.invert(pc.match_substring_regex(pa.array(characters), NOT_BLANK)).to_pylist()
    table = pa.table({"c": characters})
    assert table.num_rows == len(characters)
    query = "SELECT NOT regexp_matches(c, ?) FROM table ORDER BY unicode(c)".replace("table", '"table"')
    connection = duckdb.connect()
    connection.register("table", table)
    found = [blank for (blank,) in connection.execute(query, [NOT_BLANK]).fetchall()]
    assert list(map(is_blank, characters)) == arrow == found


@pytest.mark.parametrize("text", ["", " \t\r\n", "\u3000", "\u200b\ufeff", "\u3164", "\u2800", "\x00"])
def test_texts_without_a_visible_character_are_blank(text):
    assert is_blank(text)
    assert not is_blank(f"{text}가")
