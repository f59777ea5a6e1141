"""The JavaScript libraries of a page: made once, and kept in the user's cache."""

import pytest
import vl_convert

from emojob.pipeline.html.libraries import vega_libraries


@pytest.fixture
def made(monkeypatch, tmp_path):
    """Calls of vl-convert, in an empty cache."""
    calls = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda embed: calls.append(embed) or "a('가');\r\nb();")
    vega_libraries.cache_clear()
    yield calls
    vega_libraries.cache_clear()


def again():
    vega_libraries.cache_clear()
    return vega_libraries()


def test_the_libraries_are_made_once_and_read_from_the_cache_by_the_next_process(made):
    first = vega_libraries()
    assert again() == first == "a('가');\r\nb();"
    assert len(made) == 1


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: content[5:], lambda content: b"\xff"])
def test_a_damaged_file_is_made_again(made, tmp_path, damage):
    first = vega_libraries()
    (file,) = tmp_path.glob("emojob/vega-*.js")
    file.write_bytes(damage(file.read_bytes()))
    assert again() == first
    assert again() == first
    assert len(made) == 2


def test_a_cache_that_cannot_be_written_is_no_error(made, tmp_path):
    (tmp_path / "emojob").write_text("a file")
    assert vega_libraries() == again()
    assert len(made) == 2
