"""Connects this process to a Ray cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import socket
from collections.abc import Iterator
from typing import Any

import ray

from emojob.pipeline.assets.sample import sample_file
from emojob.schemas.errors import EmojobError, OptionError
from emojob.schemas.messages import first_line


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Connect to a Ray cluster until the `with` block ends.

    If this process already has a connection (for example in a notebook), the connection is used and stays open.

    Args:
        address: HOST:PORT. None: the environment variable RAY_ADDRESS. If RAY_ADDRESS is not set, Ray uses only this
            machine.

    Raises:
        OptionError: No cluster answers at the address, or Ray cannot start on this machine.
    """
    with contextlib.nullcontext() if ray.is_initialized() else _joined(address):
        yield


@contextlib.contextmanager
def _joined(address: str | None) -> Iterator[None]:
    address = address or os.environ.get("RAY_ADDRESS")
    settings: dict[str, Any] = {} if address else {"include_dashboard": False}
    with _signal_handlers_restored():
        try:
            _check_answer(address)
            # Workers import modules from the current folder first, and a file emojob.py there would hide emojob. So
            # change to a folder without a file emojob.py.
            with contextlib.chdir(sample_file().parent):
                ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **settings)
        except EmojobError:  # raised by a signal handler of emojob
            raise
        except Exception as error:
            reason = first_line(error)
            raise OptionError(
                f"--ray-address {address}: no Ray cluster answers there ({reason}): run `ray status` on the cluster "
                f"to check it, or give no address to use this machine only"
                if address
                else f"Ray cannot start on this machine ({reason}): leave out --engine ray"
            ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_answer(address: str | None) -> None:
    """Raise OSError if nothing listens at HOST:PORT. Ray itself would retry for minutes."""
    found = re.fullmatch(r"(?:ray://)?\[?(.+?)\]?:(\d{1,5})", address or "")
    if found:
        socket.create_connection((found[1], int(found[2])), timeout=10).close()


@contextlib.contextmanager
def _signal_handlers_restored() -> Iterator[None]:
    """Restore emojob's signal handlers at the end of the `with` block, because Ray replaces the SIGTERM handler."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # signal.signal works only in the main thread
            for number, handler in before.items():
                signal.signal(number, handler)
