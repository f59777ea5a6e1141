"""The message for a query that fails is true, and shows no value of the archive."""

import hashlib
import io

import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.warehouse.query import open_session
from emojob.pipeline.warehouse.results import write
from emojob.schemas.errors import DataError, OptionError
from tests.archives import utterance, write_archive

DEEP = "SELECT " + "(" * 3000 + "1" + ")" * 3000


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT text FROM labelled WHERE room = $name", "parameters such as"),
        ("SELECT ?", "parameters such as"),
        ("EXPLAIN SELECT $1", "parameters such as"),
        ("SELECT range(1000000000000)", "too large"),
        ("SELECT repeat('a', 9223372036854775807)", "too large"),
        ("SELECT factorial(100000)", "out of range"),
        ("SELECT 9223372036854775807 + 1", "out of range"),
        ("SELECT 300::TINYINT", "out of range of INT8"),
        ("SELECT 1 // 0", "divided by zero"),
        ("SELECT 1 // (x - 299999) FROM range(300000) AS t(x)", "divided by zero"),
        ("SELECT text::INTEGER FROM labelled", "cannot be converted to INT32"),
        ("SELECT chr(-1)", "does not accept a value"),
        ("SELECT strptime(text, '%Y') FROM labelled", "does not accept a value"),
        ("SELECT (SELECT text FROM labelled)", "More than one row"),
        ("SELECT 'a' LIKE 'a' ESCAPE 'bb'", "syntax"),
        (DEEP, "nested too deeply"),
        ("SELECT " + "1 + " * 3000 + "1", "nested too deeply"),
        ("SELECT 1 ORDER BY 'a'", "ORDER BY non-integer literal has no effect"),
    ],
)  # fmt: skip
def test_the_reason_is_true_and_shows_no_value(session, query, reason):
    with pytest.raises(OptionError, match=reason) as refused:
        write(session.query(query), io.BytesIO(), "json")
    message = str(refused.value)
    assert "\n" not in message
    assert "wrong type" not in message
    assert "SET " not in message
    assert "좋아요" not in message


def test_a_text_of_the_archive_cannot_look_like_a_type(session):
    with pytest.raises(OptionError) as refused:
        session.query("SELECT 'a to KIM_SECRET when casting '::INTEGER")
    assert "KIM_SECRET" not in str(refused.value)


def test_a_damaged_part_that_is_read_late_is_named(tmp_path):
    out = write_archive(
        tmp_path / "out", [utterance("기쁨", 0.9, hashlib.sha256(b"%d" % n).hexdigest()) for n in range(9000)]
    )
    part = next(out.glob("part-*"))
    content = bytearray(part.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 3000] = bytes(3000)
    part.write_bytes(content)
    with pytest.raises(DataError, match=r"part-.*cannot be read"), open_session(open_labelled(out)) as session:
        write(session.query("SELECT text FROM labelled"), io.BytesIO(), "json")
