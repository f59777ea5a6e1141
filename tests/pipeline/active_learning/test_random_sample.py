"""Random rows of an archive, to measure a model on."""

import collections

import pytest

from emojob.pipeline.active_learning.random_sample import draw
from emojob.pipeline.output import labelled_archive
from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.schemas.errors import DataError
from tests.archives import row, table_of, write_part, write_run


@pytest.fixture
def archive(tmp_path):
    """An archive of 900 labelled rows and 300 rows without text; every third labelled row has the same text."""
    rows = [
        row("네" if i % 3 == 0 else f"{i}번째 말이에요") if i % 4 else row(None, status="empty") for i in range(1200)
    ]
    write_part(tmp_path / "out", table_of(rows[:700]))
    write_part(tmp_path / "out", table_of(rows[700:]), first_row=700)
    return open_labelled(write_run(tmp_path / "out"))


def texts(archive, wanted: int, **options) -> list[str]:
    return [one.text for one in draw(archive, wanted, **options).utterances]


def test_each_labelled_row_has_the_same_chance(archive):
    counts: collections.Counter = collections.Counter()
    for seed in range(300):
        counts.update(texts(archive, 30, seed=seed))
    short = counts.pop("네") / (300 * 30)
    assert short == pytest.approx(1 / 3, abs=0.02)
    assert len(counts) == 600
    assert max(counts.values()) < 35  # expected: 10


def test_rows_are_drawn_once(archive):
    assert sorted(texts(archive, 900)) == sorted(texts(archive, 5000))
    found = texts(archive, 900)
    assert (len(found), found.count("네"), len(set(found))) == (900, 300, 601)


def test_the_same_seed_gives_the_same_rows_whatever_the_batches(archive, monkeypatch):
    first = texts(archive, 50, seed=3)
    monkeypatch.setattr(labelled_archive, "_BATCH_ROWS", 17)
    assert texts(archive, 50, seed=3) == first
    assert texts(archive, 80, seed=3)[:50] == first
    assert texts(archive, 50, seed=4) != first


def test_left_out_texts_are_not_drawn_and_the_weight_is_that_of_the_others(archive):
    assert draw(archive, 100).weight == 9
    found = draw(archive, 100, leave_out=[" 네 "])
    assert len(found.utterances) == 100
    assert "네" not in {one.text for one in found.utterances}
    assert found.weight * 100 == pytest.approx(600, rel=0.15)
    with pytest.raises(DataError, match="--again"):
        draw(archive, 9, leave_out={one.text for one in draw(archive, 900).utterances})
