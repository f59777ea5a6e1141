"""Parts of messages: lists of names stay on one line and short, nouns fit their counts."""

import pytest

from emojob.schemas.messages import counted, first_line, first_of, last_line, listed, plural


def test_names_are_listed_on_one_line_with_quotes_where_needed():
    assert listed(["id", "보낸 사람", "a,b", "two\nlines", ""]) == r"id, '보낸 사람', 'a,b', 'two\nlines', ''"
    assert listed([]) == "none"


def test_a_long_list_ends_in_the_number_of_the_others():
    names = [f"c{i}" for i in range(45)]
    assert listed(names).endswith("c39, ... (5 more)")


@pytest.mark.parametrize("name", ["배송이 늦어져서 죄송합니다 고객님 확인해 볼게요", "x" * 61])
def test_an_utterance_is_not_listed_as_a_name(name):
    assert listed(["id", name]) == f"id, (a text of {len(name)} characters: is the header line missing?)"


def test_nouns_fit_their_counts():
    assert (plural(1, "row"), plural(0, "row"), plural(2, "row")) == ("row", "rows", "rows")
    assert (counted(1, "row"), counted(2000, "row")) == ("1 row", "2,000 rows")


def test_the_first_name_and_the_number_of_the_others():
    assert first_of(["a.csv"]) == "a.csv"
    assert first_of(["a.csv", "b.csv", "c.csv"]) == "a.csv and 2 more"
    assert first_of(["a", "b"], "more parts") == "a and 1 more parts"


def test_one_line_of_an_exception():
    error = ValueError("\nfirst\nlast " + "x" * 400)
    assert first_line(error) == "first"
    assert last_line(error) == ("last " + "x" * 400)[:300]
    assert first_line(KeyError()) == last_line(KeyError()) == "KeyError"
