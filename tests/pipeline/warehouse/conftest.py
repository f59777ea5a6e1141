"""Labelled archives for the tests of this folder, and queries over them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from emojob.pipeline.output.labelled_archive import open_labelled
from emojob.pipeline.warehouse.aggregates import store
from emojob.pipeline.warehouse.database import open_database
from emojob.pipeline.warehouse.query import open_session
from tests.archives import utterance, write_archive

ROWS = [utterance("기쁨", 0.9, "좋아요", room="a"), utterance("분노", 0.8, "=1+1", room="b"), utterance(None, room="b")]


@pytest.fixture
def query_rows(tmp_path) -> Callable[..., list[tuple]]:
    """query_rows(rows, query, **options of the run): the result of a query over an archive of these rows."""

    def result(rows: list[dict], query: str, time_zone: str | None = None, **options: object) -> list[tuple]:
        with open_database(open_labelled(write_archive(tmp_path / "out", rows, **options)), time_zone) as db:
            for name in ("hours", "label_hours", "talks", "turns", "conversations", "soured"):
                store(db, name)
            return db.execute(query).fetchall()

    return result


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    """A labelled archive of three rows. Its path contains a quote."""
    return write_archive(tmp_path_factory.mktemp("archive") / "it's out", ROWS, conversation_column="room")


@pytest.fixture(scope="module")
def session(out):
    """A session for queries over `out`."""
    with open_session(open_labelled(out)) as session:
        yield session
