"""`emojob forget`: comparisons of texts that mean more, or less, than they seem to."""

import unicodedata

import pytest

from tests.archives import utterance, write_archive

NAME, OTHER = (unicodedata.normalize(form, "홍길동") for form in ("NFC", "NFD"))
COLUMN = unicodedata.normalize("NFD", "이름")


@pytest.fixture
def people(tmp_path):
    rows = [
        utterance("기쁨", 0.7, f"말 {i}", id=one, name=name, n=i, who={"id": one}, **{COLUMN: name})
        for i, (one, name) in enumerate([("01", NAME), ("1", OTHER), ("1.0", "김"), (" 1", "이")])
    ]
    return write_archive(tmp_path / "out", rows)


@pytest.mark.parametrize(
    "where",
    [
        "id = 1",
        "1 = ID",
        "id <> 1",
        "n = 3 OR id IN (1, 2)",
        "labelled.id = n",
        "who.id = 1",
        "trim(id) = 1",
        "text < 3",
    ],
)
def test_a_text_is_not_compared_with_a_number(emojob, people, where):
    before = [file.read_bytes() for file in sorted(people.glob("part-*"))]
    code, printed, err = emojob("forget", people, "--yes", "--where", where)
    assert (code, printed, err.count("\n"), "with a number" in err) == (2, "", 1, True)
    assert [file.read_bytes() for file in sorted(people.glob("part-*"))] == before


def test_the_refusal_gives_two_conditions_that_work(emojob, people):
    advice = emojob("forget", people, "--yes", "--where", "id = 1")[2].split("compare texts: ")[1]
    quoted, converted = advice.rstrip().split(", or convert the texts: ")
    assert (quoted, converted) == ("\"id\" = '1'", 'TRY_CAST("id" AS DOUBLE) = 1')
    for where, rows in ((quoted, "1 row "), (converted, "4 rows ")):
        assert rows in emojob("forget", people, "--dry-run", "--where", where)[1]


@pytest.mark.parametrize(
    ("where", "rows"),
    [("n = '1'", 1), ("n IN (1, 2)", 2), ("confidence > 0.5", 4), ("id || n = '011'", 0), ("n < 2.5", 3)],
)
def test_other_comparisons_are_as_before(emojob, people, where, rows):
    code, printed, err = emojob("forget", people, "--dry-run", "--where", where)
    assert (code, err, f"{rows} row" in printed or not rows) == (0 if rows else 5, "", True)


@pytest.mark.parametrize(
    ("where", "code", "others"),
    [
        (f"name = '{NAME}'", 0, 1),
        (f"name = '{OTHER}' AND n >= 0", 0, 1),
        (f"name LIKE '{NAME[:2]}%'", 0, 1),
        (f"name <> '{NAME}'", 0, 1),
        (f"name = '{NAME}' AND id = '1'", 5, 1),
        (f"nfc_normalize(name) = '{NAME}'", 0, 0),
        ("name = '김'", 0, 0),
        ("name = 'a'", 5, 0),
    ],
)
def test_the_same_text_in_another_unicode_form_is_said(emojob, people, where, code, others):
    found, _, err = emojob("forget", people, "--dry-run", "--where", where)
    assert (found, f"{others} row would count otherwise" in err, "nfc_normalize" in err) == (
        code,
        others > 0,
        others > 0,
    )


def test_a_column_in_another_unicode_form_is_named(emojob, people):
    where = f"COLUMNS(lambda name: nfc_normalize(name) = '이름') = '{NAME}'"
    for command in (("forget", people, "--yes", "--where", "이름 = 'x'"), ("sql", people, "SELECT 이름 FROM labelled")):
        code, printed, err = emojob(*command)
        assert (code, printed, err.count("\n"), where.split(" = ")[0] in err) == (2, "", 1, True)
    assert "1 row in 1 part would be removed" in emojob("forget", people, "--dry-run", "--where", where)[1]
    assert "1 row in 1 part would be removed" in emojob("forget", people, "--dry-run", "--where", f"{COLUMN} = '김'")[1]
