"""What tests of the command line share."""

from __future__ import annotations

import pytest

from emojob.jobs.main import main


def run(command: list[str]) -> int:
    """Return the exit code of a command."""
    with pytest.raises(SystemExit) as ended:
        main(command)
    return int(ended.value.code or 0)


def one_line(err: str) -> str:
    """Assert that an error is one line of emojob's, and return it."""
    assert err.count("\n") == 1, err
    assert err.startswith("emojob: ")
    return err
