"""What tests of the command line share."""

from __future__ import annotations


def one_line(err: str) -> str:
    """Assert that an error is one line of emojob's, and return it."""
    assert err.count("\n") == 1, err
    assert err.startswith("emojob: ")
    return err
