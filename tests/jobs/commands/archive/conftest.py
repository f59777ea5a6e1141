"""Fixtures of the commands on a labelled archive."""

import pytest

from emojob.jobs.main import main
from tests.archives import utterance, write_archive

ROWS = [
    utterance("기쁨", 0.9, "좋아요", room="a", sent_at="2026-11-23 09:00"),
    utterance("분노", 0.8, "왜 안 와요", room="b", sent_at="2026-11-24 10:00"),
    utterance(None, room="b", sent_at="2026-11-24 11:00"),
]


@pytest.fixture
def emojob(tiny_model, monkeypatch, capfdbinary):
    """Run a command as the general fixture does, but capture bytes too, which `emojob sql` may print."""
    monkeypatch.setenv("EMOJOB_MODEL", str(tiny_model))

    def run(*arguments: object):
        with pytest.raises(SystemExit) as ended:
            main([str(one) for one in arguments])
        printed = capfdbinary.readouterr()
        return ended.value.code, printed.out.decode(), printed.err.decode()

    return run


@pytest.fixture
def out(tmp_path):
    """A labelled archive of three rows."""
    return write_archive(tmp_path / "out", ROWS, conversation_column="room")
