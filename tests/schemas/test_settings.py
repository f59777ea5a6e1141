"""Settings: a TOML file fills a dataclass, and a wrong key or value is reported with its name."""

from dataclasses import dataclass

import pytest

from emojob.schemas.errors import OptionError
from emojob.schemas.settings import between, fill, read_toml


@dataclass(frozen=True)
class Sizes:
    rows: int
    share: float = 0.5
    name: str | None = None


def test_a_table_fills_a_dataclass(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("\ufeffrows = 3\nshare = 1\n", encoding="utf-8")
    assert fill(Sizes, read_toml(file), "sizes", "see the example") == Sizes(3, 1.0)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, "sizes lacks the key rows; see the example"),
        ({"rows": 3, "nam": "x"}, "sizes has the unknown key 'nam'; did you mean name?"),
        ({"rows": 3, "colour": "x"}, "the unknown key 'colour'; the known keys are rows, share, name"),
        ({"rows": True}, "sizes.rows is True, which has the wrong type; give a whole number"),
        ({"rows": 3, "share": "half"}, "sizes.share is 'half', which has the wrong type; give a number"),
        ({"rows": 3, "name": 7}, "sizes.name is 7, which has the wrong type; give a text in quotes"),
    ],
)
def test_a_wrong_table_is_refused_with_the_key(table, words):
    with pytest.raises(OptionError) as caught:
        fill(Sizes, table, "sizes", "see the example")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a = " + b"[" * 5000, "nested too deeply"),
        (b"a = 1\n" + b"#" * (1 << 20), "a.toml is too large for a settings file .over 1,048,576 bytes."),
        (b"a = \xff", "can't decode byte 0xff"),
        (b"a 1", "Expected '='"),
    ],
    ids=["deep", "long", "not utf-8", "not TOML"],
)
def test_a_malformed_file_is_a_value_error(tmp_path, content, words):
    (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        read_toml(tmp_path / "a.toml")


def test_a_number_must_lie_within_its_bounds():
    between("sizes.share", 1, 0, 1)
    with pytest.raises(OptionError, match=r"sizes\.share is 2, which is out of range; give a number from 0 to 1"):
        between("sizes.share", 2, 0, 1)
